/** The lines of a transcript: the one that is said is marked and kept in sight, a click seeks. */
import { memo, useEffect, useRef } from "react";
import type { Schemas } from "../../api/client";
import { clock, type Place } from "../../api/place";
import { useCited } from "./cited";

interface Props {
  cues: Schemas["CueAttributes"][];
  /** The line that is said now, or -1. */
  current: number;
  at: Place | null;
  onSeek: (time: number) => void;
}

/** After scrolling by hand the list stays where it is for so long. */
const LEFT_ALONE_MS = 4_000;

export const TranscriptList = memo(function TranscriptList({ cues, current, at, onSeek }: Props) {
  const root = useRef<HTMLOListElement>(null);
  const touched = useRef(0);
  useCited(root, at, cues);
  useEffect(() => {
    const list = root.current;
    const line = list?.children[current];
    if (!list || !(line instanceof HTMLElement)) return;
    if (Date.now() - touched.current < LEFT_ALONE_MS || list.contains(document.activeElement)) return;
    // The list alone scrolls; the page stays where its reader is.
    list.scrollTop = line.offsetTop - list.offsetTop - list.clientHeight / 2 + line.clientHeight / 2;
  }, [current]);
  const touch = () => {
    touched.current = Date.now();
  };
  return (
    <ol className="transcript" ref={root} onWheel={touch} onTouchMove={touch}>
      {cues.map((cue, index) => (
        <li key={index} data-place-kind="time" data-place-start={cue.start} data-place-end={cue.end}>
          <button type="button" onClick={() => onSeek(cue.start)} aria-current={index === current ? "true" : undefined}>
            <span className="clock">{clock(cue.start)}</span> {cue.text}
          </button>
        </li>
      ))}
    </ol>
  );
});
