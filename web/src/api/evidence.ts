/** Passages of a text by byte offsets, as the server counts them: UTF-8, not the units of a script's strings. */
export interface Evidence {
  start: number;
  end: number;
  quote: string;
}

export interface Piece {
  text: string;
  /** Names of those whose evidence covers this piece. */
  of: string[];
  /** Names of those whose evidence ends with it. */
  ends: string[];
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** Whether the bytes between the offsets are the quote. */
export function holds(text: string, { start, end, quote }: Evidence): boolean {
  if (quote === "" || start < 0 || end <= start) return false;
  return decoder.decode(encoder.encode(text).subarray(start, end)) === quote;
}

/** The text cut at each beginning and end of evidence. What does not stand there is left out. */
export function pieces(text: string, marked: { name: string; evidence: Evidence[] }[]): Piece[] {
  const bytes = encoder.encode(text);
  const spans = marked.flatMap(({ name, evidence }) =>
    evidence.filter((one) => holds(text, one)).map(({ start, end }) => ({ name, start, end })),
  );
  const cuts = [...new Set([0, bytes.length, ...spans.flatMap(({ start, end }) => [start, end])])];
  cuts.sort((a, b) => a - b);
  const names = (all: { name: string }[]) => [...new Set(all.map(({ name }) => name))];
  return cuts.slice(1).map((end, n) => {
    const start = cuts[n] ?? 0;
    const over = spans.filter((span) => span.start <= start && span.end >= end);
    return {
      text: decoder.decode(bytes.subarray(start, end)),
      of: names(over),
      ends: names(over.filter((span) => span.end === end)),
    };
  });
}
