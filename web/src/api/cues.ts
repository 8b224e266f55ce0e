/** Captions as WebVTT or SubRip give them. */
export interface Cue {
  start: number;
  end: number;
  text: string;
}

function seconds(text: string): number {
  const parts = text.trim().replace(",", ".").split(":").map(Number);
  return parts.reduce((sum, part) => sum * 60 + part, 0);
}

export function cues(text: string): Cue[] {
  const found: Cue[] = [];
  for (const block of text.replaceAll("\r", "").split(/\n\n+/)) {
    const rows = block.split("\n");
    const at = rows.findIndex((row) => row.includes("-->"));
    const [start, end] = (rows[at] ?? "").split("-->");
    if (start === undefined || end === undefined) continue;
    // Cue settings stand behind the end; tags within the words are for players.
    const [ended = ""] = end.trim().split(/\s/);
    const words = rows.slice(at + 1).join(" ").replace(/<[^>]*>/g, "").trim();
    if (words) found.push({ start: seconds(start), end: seconds(ended), text: words });
  }
  return found;
}

function stamp(time: number): string {
  const pad = (value: number, width = 2) => String(value).padStart(width, "0");
  const ms = Math.round(time * 1000);
  return `${pad(Math.floor(ms / 3_600_000))}:${pad(Math.floor(ms / 60_000) % 60)}:${pad(Math.floor(ms / 1000) % 60)}.${pad(ms % 1000, 3)}`;
}

/** The cues as a WebVTT file for the player. */
export function webVtt(all: Cue[]): string {
  const escape = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  return `WEBVTT\n\n${all.map((cue) => `${stamp(cue.start)} --> ${stamp(cue.end)}\n${escape(cue.text)}\n`).join("\n")}`;
}
