/** Questions as they are asked and answered; the interface's document gives them as plain objects. */
import type { Place } from "./place";

export interface Item {
  id: string;
  text: string;
}

export type Shown =
  | { type: "multiple_choice"; options: Item[] }
  | { type: "multiple_answer"; options: Item[] }
  | { type: "true_false" }
  | { type: "cloze"; parts: string[] }
  | { type: "short_answer" }
  | { type: "matching"; left: Item[]; right: Item[] }
  | { type: "ordering"; items: Item[] }
  | { type: "numeric"; unit: boolean }
  | { type: "essay"; least_words: number | null };

/** A question as a learner gets it; it has no place for a key. */
export type Asked = { id: string; stem: string } & Shown;

export type Answered =
  | { type: "choice"; option: string }
  | { type: "choices"; options: string[] }
  | { type: "truth"; value: boolean }
  | { type: "blanks"; texts: string[] }
  | { type: "text"; text: string }
  | { type: "pairs"; pairs: [string, string][] }
  | { type: "order"; items: string[] }
  | { type: "number"; value: number; unit: string };

/** The passage that a question rests on. */
export interface Source {
  sourcePath: string;
  headingPath: string[];
  locator: Place;
  quote: string;
}

const filled = (text: string) => text.trim() !== "";

/** Whether nothing of the question is left open. */
export function complete(asked: Shown, answered: Answered | undefined): boolean {
  if (!answered) return false;
  if (answered.type === "choices") return answered.options.length > 0;
  if (answered.type === "blanks") return answered.texts.length > 0 && answered.texts.every(filled);
  if (answered.type === "text") return filled(answered.text);
  if (answered.type === "pairs") return asked.type === "matching" && answered.pairs.length === asked.left.length;
  return true;
}

/** An answer in words, with the texts of the options that it names. */
export function inWords(asked: Shown | undefined, answered: Answered | null | undefined): string[] {
  if (!answered) return [];
  const of = (items: Item[] | undefined, id: string) => items?.find((item) => item.id === id)?.text ?? id;
  const options = asked && "options" in asked ? asked.options : undefined;
  const [left, right] = asked?.type === "matching" ? [asked.left, asked.right] : [undefined, undefined];
  const items = asked?.type === "ordering" ? asked.items : undefined;
  switch (answered.type) {
    case "choice":
      return [of(options, answered.option)];
    case "choices":
      return answered.options.map((id) => of(options, id));
    case "truth":
      return [answered.value ? "True" : "False"];
    case "blanks":
      return answered.texts.filter(filled);
    case "text":
      return filled(answered.text) ? [answered.text.trim()] : [];
    case "pairs":
      return answered.pairs.map(([a, b]) => `${of(left, a)} = ${of(right, b)}`);
    case "order":
      return answered.items.map((id) => of(items, id));
    case "number":
      return [`${answered.value} ${answered.unit}`.trim()];
  }
}

/** What a rationale is about: an option, a half, or the verdict. */
export function named(asked: Shown | undefined, id: string): string {
  if (asked && "options" in asked) return asked.options.find((option) => option.id === id)?.text ?? "";
  if (asked?.type === "matching") return asked.left.find((item) => item.id === id)?.text ?? "";
  if (asked?.type === "ordering") return asked.items.find((item) => item.id === id)?.text ?? "";
  return "";
}

/** The page of the client that finds the lesson of a source and opens it there. */
export function sourceLink(course: string, { sourcePath, locator, quote }: Source): string {
  const query = new URLSearchParams({
    path: sourcePath,
    at: `${locator.kind}:${locator.start}-${locator.end}`,
    quote: quote.slice(0, 300),
  });
  return `/courses/${course}/source?${query.toString()}`;
}
