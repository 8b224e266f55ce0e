/** An answer as it comes in, event by event. */
import type { Place } from "../../api/place";

export interface Citation {
  sourcePath: string;
  /** Where the site of its repository shows the place. */
  address?: string | null;
  headingPath: string[];
  locator: Place;
  quote: string;
  lessonId?: string;
}

export interface Answer {
  outcome: "answered" | "closest" | "declined" | "hint";
  mode: "extract" | "generated";
  sentences: { text: string; citations: number[] }[];
  citations: Citation[];
  nearest: Citation[];
  notices: string[];
}

export interface Exchange {
  question: string;
  sentences: Answer["sentences"];
  citations: Citation[];
  /** There when the answer is complete. */
  answer?: Answer;
  failure?: string;
  /** Requests ahead of it while it waits for the language model; null once the model has it. */
  ahead?: number | null;
}

/** The exchange after one more event. */
export function heard(before: Exchange, name: string, data: string): Exchange {
  const body = JSON.parse(data) as Record<string, unknown>;
  if (name === "queued") return { ...before, ahead: body.ahead as number | null };
  if (name === "citation") {
    const citations = [...before.citations];
    citations[Number(body.index)] = body.citation as Citation;
    return { ...before, citations };
  }
  if (name === "delta") {
    const sentence = { text: String(body.text), citations: (body.citations as number[] | undefined) ?? [] };
    return { ...before, sentences: [...before.sentences, sentence] };
  }
  if (name === "done") {
    const answer = body.answer as Answer;
    // What was checked last is what counts.
    return { ...before, answer, sentences: answer.sentences, citations: answer.citations };
  }
  if (name === "error") return { ...before, failure: String(body.message) };
  return before;
}
