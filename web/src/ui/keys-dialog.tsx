/** The keys of a page, and the way to turn them off. */
import type { RefObject } from "react";

interface Props {
  box: RefObject<HTMLDialogElement | null>;
  keys: [string, string][];
  on: boolean;
  turn: (on: boolean) => void;
}

export function KeysDialog({ box, keys, on, turn }: Props) {
  return (
    <dialog ref={box} aria-labelledby="keys">
      <h2 id="keys">Keys of this page</h2>
      <dl className="keys">
        {keys.map(([key, does]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{does}</dd>
          </div>
        ))}
      </dl>
      <label className="option">
        <input type="checkbox" checked={on} onChange={(event) => turn(event.currentTarget.checked)} />
        <span>These keys work (turn them off if they get in the way of other software)</span>
      </label>
      <p className="actions">
        <button type="button" className="main" onClick={() => box.current?.close()}>
          Close
        </button>
      </p>
    </dialog>
  );
}
