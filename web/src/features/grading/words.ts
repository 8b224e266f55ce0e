/** What the server's short names mean to somebody who teaches. */
import type { Proposal } from "../../api/grading";

export const STATE_NAMES: Record<string, string> = {
  waiting: "Waits for a grade",
  graded: "Graded, not released",
  released: "Released",
};

const FLAGS: Record<string, string> = {
  instruction: "Reads like an order to the grader",
  hidden_text: "Holds characters that cannot be seen",
  copied_question: "Says little beyond the question",
  copied_reference: "Gives the model answer word for word",
  keyword_list: "A list of key words without sentences",
  negation: "Says “not” where the model answer does not, or the other way round",
  numbers: "Has other numbers than the model answer",
  empty: "Nothing to judge",
  needs_look: "Look closely: weak or unsure",
  disagreement: "Two ways of judging disagree",
  unsupported: "Part of the proposal did not hold and was dropped",
};

export function flagged(flag: string): string {
  return FLAGS[flag] ?? flag.replaceAll("_", " ");
}

/** Where a proposal comes from. */
export function origin({ kind, model }: Proposal["origin"]): string {
  if (model) return `by the language model ${model}`;
  return kind === "generated" ? "by a language model" : "from the words of the text, without a language model";
}

export const ALLOWS: Record<string, string> = {
  batch: "Proposals may be made in one go for all that wait.",
  one_by_one: "Proposals are made one by one, and you look at each.",
  nothing: "No proposals: weak answers to this question are rated too high. Grade by hand.",
};
