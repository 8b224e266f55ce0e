/** A question of the bank with its key, as those who may see keys get it. */
import type { Item, Source } from "../../api/question";

export interface Choice extends Item {
  rationale?: string | null;
}

export type Body =
  | { type: "multiple_choice"; options: Choice[]; right: string }
  | { type: "multiple_answer"; options: Choice[]; right: string[] }
  | { type: "true_false"; right: boolean; rationale?: string | null }
  | { type: "cloze"; parts: string[]; blanks: string[][]; options?: string[] }
  | { type: "short_answer"; accepted: string[]; reference?: string | null }
  | { type: "matching"; left: Choice[]; right: Choice[]; pairs: [string, string][] }
  | { type: "ordering"; items: Choice[] }
  | { type: "numeric"; value: number; tolerance: number; unit: string }
  | { type: "essay"; leastWords?: number | null; reference?: string | null };

export interface Flaw {
  code: string;
  message: string;
  hard: boolean;
}

export interface Draft {
  lesson: string | null;
  stem: string;
  body: Body;
  source: Source | null;
  bloom: string | null;
  difficulty: number | null;
  origin: { kind: string; model?: string; promptVersion?: string };
  lint: Flaw[];
  hints: string[];
}

export interface Question {
  id: string;
  state: string;
  version: number;
  key: string[];
  draft: Draft;
}

export const STATES = ["draft", "reviewed", "live", "retired"] as const;
export type State = (typeof STATES)[number];

export const STATE_NAMES: Record<State, string> = {
  draft: "Drafts",
  reviewed: "Approved",
  live: "In use",
  retired: "Retired",
};

export const TYPE_NAMES: Record<Body["type"], string> = {
  multiple_choice: "Multiple choice",
  multiple_answer: "Several right answers",
  true_false: "True or false",
  cloze: "Fill the gap",
  short_answer: "Short answer",
  matching: "Matching",
  ordering: "Ordering",
  numeric: "Number",
  essay: "Essay",
};

export const ORIGINS: Record<string, string> = {
  manual: "Written by a person",
  imported: "Imported",
  extract: "Made from the course’s own words",
  generated: "Written by a language model",
};

/** Predicted share of learners who fail, in a word. */
export function hardness(difficulty: number): string {
  if (difficulty < 0.35) return "easy";
  return difficulty < 0.6 ? "medium" : "hard";
}
