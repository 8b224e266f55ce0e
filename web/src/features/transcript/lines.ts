/** The lines of a transcript while they are corrected. */
import type { Schemas } from "../../api/client";

export type Cue = Schemas["CueAttributes"];

/** A line with a key of its own, which outlives its neighbours. */
export interface Row extends Cue {
  key: number;
}

export function rows(cues: Cue[]): Row[] {
  return cues.map((cue, key) => ({ ...cue, key }));
}

/** `1:02:03.4` or `62:03.4`, to the tenth where that is exact. */
export function stamp(seconds: number): string {
  const ms = Math.round(seconds * 1000);
  const rest = `${String(Math.floor(ms / 1000) % 60).padStart(2, "0")}.${String(ms % 1000).padStart(3, "0")}`;
  return `${String(Math.floor(ms / 60_000)).padStart(2, "0")}:${rest}`;
}

/** Seconds of what was typed; `null` for what is no time. */
export function seconds(text: string): number | null {
  const match = /^(?:(\d+):)?(\d+):(\d{1,2}(?:[.,]\d{1,3})?)$/.exec(text.trim());
  if (!match) return null;
  const [, hours = "0", minutes = "0", rest = "0"] = match;
  const last = Number(rest.replace(",", "."));
  return last < 60 ? Number(hours) * 3600 + Number(minutes) * 60 + last : null;
}

/** Why a line cannot be kept; `null` when it can. */
export function fault(row: Row, before: Row | undefined): string | null {
  if (!row.text.trim()) return "has no words";
  if (!(row.end > row.start)) return "ends before it begins";
  if (before && row.start < before.start) return "begins before the line above";
  return null;
}

/** How often words stand in all lines, in exactly this spelling. */
export function count(all: Row[], find: string): number {
  return find ? all.reduce((sum, { text }) => sum + text.split(find).length - 1, 0) : 0;
}

export function replaced(all: Row[], find: string, put: string): Row[] {
  return find ? all.map((row) => ({ ...row, text: row.text.replaceAll(find, put) })) : all;
}

const fresh = (all: Row[]) => Math.max(-1, ...all.map(({ key }) => key)) + 1;

/** The line cut in two at a place of its words; its time is shared by letters. */
export function split(all: Row[], key: number, at: number): Row[] {
  return all.flatMap((row) => {
    const [head, tail] = [row.text.slice(0, at).trim(), row.text.slice(at).trim()];
    if (row.key !== key || !head || !tail) return [row];
    const middle = Math.round((row.start + ((row.end - row.start) * at) / row.text.length) * 1000) / 1000;
    return [
      { ...row, text: head, end: middle },
      { ...row, text: tail, start: middle, key: fresh(all) },
    ];
  });
}

/** The line joined with the one below it. */
export function joined(all: Row[], key: number): Row[] {
  const at = all.findIndex((row) => row.key === key);
  const [row, next] = [all[at], all[at + 1]];
  if (!row || !next) return all;
  const one = { ...row, end: Math.max(row.end, next.end), text: `${row.text} ${next.text}` };
  return [...all.slice(0, at), one, ...all.slice(at + 2)];
}
