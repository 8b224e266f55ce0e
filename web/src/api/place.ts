/** Exact places of a source: lines, page, second, section, slide or cell. */
export type Kind = "lines" | "page" | "time" | "section" | "slide" | "cell";

export interface Place {
  kind: string;
  start: number;
  end: number;
}

export function clock(seconds: number): string {
  const whole = Math.floor(seconds);
  return `${String(Math.floor(whole / 60)).padStart(2, "0")}:${String(whole % 60).padStart(2, "0")}`;
}

export function inWords({ kind, start, end }: Place): string {
  const span = start === end ? `${start}` : `${start}–${end}`;
  if (kind === "time") return `${clock(start)}–${clock(end)}`;
  if (kind === "lines") return start === end ? `line ${span}` : `lines ${span}`;
  if (kind === "page") return start === end ? `page ${span}` : `pages ${span}`;
  if (kind === "slide") return start === end ? `slide ${span}` : `slides ${span}`;
  if (kind === "cell") return start === end ? `cell ${span}` : `cells ${span}`;
  return `section ${start}`;
}

/** As it stands in an address: `lines:3-7`. */
export function written(place: Place): string {
  return `${place.kind}:${place.start}-${place.end}`;
}

export function parsed(text: string | null): Place | null {
  const match = /^(lines|page|time|section|slide|cell):([\d.]+)-([\d.]+)$/.exec(text ?? "");
  if (!match) return null;
  return { kind: match[1] ?? "", start: Number(match[2]), end: Number(match[3]) };
}

export function overlap(a: Place, b: Place): boolean {
  return a.kind === b.kind && a.start <= b.end && b.start <= a.end;
}
