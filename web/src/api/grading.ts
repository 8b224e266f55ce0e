/** Rubrics, proposals and marks; the interface's document gives them as plain objects. */
import type { Schemas } from "./client";
import type { Evidence } from "./evidence";

export interface Level {
  id: string;
  title: string;
  share: number;
}

export interface Criterion {
  id: string;
  title: string;
  description: string;
  reference?: string | null;
  /** Weight beside the other criteria. */
  points: number;
  levels: Level[];
}

export interface Judged {
  criterion: string;
  level: string | null;
  share: number | null;
  confidence: number;
  evidence: Evidence[];
  flags: string[];
  comment?: string | null;
  whyNot?: string | null;
}

export interface Proposal {
  rubricVersion: number;
  origin: { kind: string; model?: string | null };
  criteria: Judged[];
  share: number | null;
  confidence: number;
  flags: string[];
}

export interface Mark {
  criterion: string;
  level: string;
  share: number;
  comment?: string | null;
  evidence: Evidence[];
}

export type Appeal = Schemas["AppealAttributes"];

/** The share in percent, for people. */
export function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

/** The id of what an answer of the server is related to. */
export function related(one: { relationships?: unknown }, name: string): string {
  const all = one.relationships as Record<string, { data?: { id?: string } | null } | undefined> | undefined;
  return all?.[name]?.data?.id ?? "";
}

/** A, B, C: the signs of criteria beside the passages; digits are for levels. */
export function letter(place: number): string {
  return place < 26 ? String.fromCharCode(65 + place) : `A${String.fromCharCode(65 + (place % 26))}`;
}
