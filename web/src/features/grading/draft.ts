/** What somebody has chosen at the bench and not yet set. */
import type { Schemas } from "../../api/client";
import type { Criterion, Mark, Proposal } from "../../api/grading";

export interface Past extends Omit<Schemas["GradeAttributes"], "marks"> {
  marks: Mark[];
}

export interface Bench extends Omit<Schemas["BenchAttributes"], "criteria" | "history" | "proposal"> {
  criteria: Criterion[];
  history: Past[];
  proposal?: (Omit<Schemas["ProposalAttributes"], "proposal"> & { proposal: Proposal }) | null;
}

export interface Draft {
  /** Level by criterion. */
  levels: Record<string, string>;
  comments: Record<string, string>;
  comment: string;
  reason: string;
}

/** The newest proposal, when it was made by the rubric of now. */
export function standing(bench: Bench): Proposal | null {
  const proposal = bench.proposal?.proposal;
  return proposal && proposal.rubricVersion === bench.rubricVersion ? proposal : null;
}

/** Begins with what a person gave before and with nothing of a proposal. */
export function begin(bench: Bench): Draft {
  const last = bench.history.at(-1);
  const draft: Draft = { levels: {}, comments: {}, comment: last?.comment ?? "", reason: "" };
  for (const { id, levels } of bench.criteria) {
    const mark = last?.marks.find((one) => one.criterion === id);
    if (mark && levels.some((level) => level.id === mark.level)) draft.levels[id] = mark.level;
    if (mark?.comment) draft.comments[id] = mark.comment;
  }
  return draft;
}

/** With the proposed levels; a comment that is there stays. */
export function takenOver(draft: Draft, proposal: Proposal): Draft {
  const [levels, comments] = [{ ...draft.levels }, { ...draft.comments }];
  for (const judged of proposal.criteria) {
    if (judged.level) levels[judged.criterion] = judged.level;
    if (judged.comment && !comments[judged.criterion]?.trim()) comments[judged.criterion] = judged.comment;
  }
  return { ...draft, levels, comments };
}

export function full(bench: Bench, draft: Draft): boolean {
  return bench.criteria.every(({ id }) => draft.levels[id] !== undefined);
}

/** What the chosen levels come to, the server's way; nothing until each criterion has one. */
export function pointsOf(bench: Pick<Bench, "criteria" | "most">, levels: Record<string, string>): number | null {
  const whole = bench.criteria.reduce((sum, one) => sum + one.points, 0);
  let sum = 0;
  for (const one of bench.criteria) {
    const level = one.levels.find(({ id }) => id === levels[one.id]);
    if (!level || whole <= 0) return null;
    sum += level.share * one.points;
  }
  return Math.min(Math.round((sum / whole) * bench.most * 100) / 100, bench.most);
}

/** From what the choice differs, so that a reason is needed: the grade before, or else a whole proposal. */
export function differsFrom(bench: Bench, { levels }: Draft): "grade" | "proposal" | null {
  const chosen = bench.criteria.filter(({ id }) => levels[id] !== undefined);
  const last = bench.history.at(-1);
  if (last) {
    const same = (id: string) => last.marks.some((mark) => mark.criterion === id && mark.level === levels[id]);
    return chosen.every(({ id }) => same(id)) ? null : "grade";
  }
  const proposal = standing(bench);
  if (!proposal || proposal.share === null) return null;
  const proposed = (id: string) => proposal.criteria.find((one) => one.criterion === id)?.level;
  return chosen.every(({ id }) => proposed(id) === levels[id]) ? null : "proposal";
}

/** Whether there is something to set. */
export function changed(bench: Bench, draft: Draft): boolean {
  return JSON.stringify(draft) !== JSON.stringify(begin(bench));
}
