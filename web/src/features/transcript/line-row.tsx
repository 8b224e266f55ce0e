/** One line of a transcript with its times. */
import { useRef, useState } from "react";
import { seconds, stamp, type Cue, type Row } from "./lines";

interface Props {
  row: Row;
  number: number;
  changed: boolean;
  fault: string | null;
  last: boolean;
  onEdit: (key: number, change: Partial<Cue>) => void;
  onPlay: (time: number) => void;
  onSplit: (at: number) => void;
  onJoin: () => void;
  onRemove: () => void;
}

function Time({ label, value, onSet }: { label: string; value: number; onSet: (value: number) => void }) {
  const [typed, setTyped] = useState<string | null>(null);
  return (
    <input
      aria-label={label}
      value={typed ?? stamp(value)}
      inputMode="decimal"
      aria-invalid={typed !== null && seconds(typed) === null}
      onChange={(event) => setTyped(event.currentTarget.value)}
      onBlur={() => {
        const time = typed === null ? null : seconds(typed);
        if (time !== null) onSet(time);
        // What is no time is put back.
        setTyped(null);
      }}
    />
  );
}

export function LineRow({ row, number, changed, fault, last, onEdit, onPlay, onSplit, onJoin, onRemove }: Props) {
  const words = useRef<HTMLTextAreaElement>(null);
  return (
    <li className={fault ? "faulty" : changed ? "changed" : undefined}>
      <Time label={`Begin of line ${number}`} value={row.start} onSet={(start) => onEdit(row.key, { start })} />
      <Time label={`End of line ${number}`} value={row.end} onSet={(end) => onEdit(row.key, { end })} />
      <textarea
        ref={words}
        aria-label={`Words of line ${number}`}
        rows={1}
        value={row.text}
        onChange={(event) => onEdit(row.key, { text: event.currentTarget.value.replaceAll("\n", " ") })}
      />
      <span className="actions">
        <button type="button" onClick={() => onPlay(row.start)} aria-label={`Play from here, line ${number}`}>
          Play from here
        </button>
        <button type="button" onClick={() => onSplit(words.current?.selectionStart ?? 0)} aria-label={`Cut at the cursor, line ${number}`}>
          Cut at the cursor
        </button>
        <button type="button" onClick={onJoin} disabled={last} aria-label={`Join with the next, line ${number}`}>
          Join with the next
        </button>
        <button type="button" onClick={onRemove} aria-label={`Remove line ${number}`}>
          Remove
        </button>
      </span>
    </li>
  );
}
