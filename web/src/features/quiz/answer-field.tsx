/** What a question is answered with; the browser's own elements, so that keys and screen readers work as ever. */
import { useId, useRef, useState } from "react";
import type { Answered, Asked, Item } from "../../api/question";
import { plural } from "../../ui/plural";
import { Words } from "../../ui/words";
import { number } from "./number";

export interface FieldProps {
  asked: Asked;
  answered: Answered | undefined;
  /** `typed` answers are saved after a pause in typing. */
  onAnswer: (answered: Answered, typed?: boolean) => void;
}

export function AnswerField({ asked, answered, onAnswer }: FieldProps) {
  const id = useId();
  switch (asked.type) {
    case "multiple_choice":
      return (
        <Options
          kind="radio"
          name={id}
          options={asked.options}
          chosen={answered?.type === "choice" ? [answered.option] : []}
          onToggle={(option) => onAnswer({ type: "choice", option })}
        />
      );
    case "multiple_answer": {
      const chosen = answered?.type === "choices" ? answered.options : [];
      const toggle = (option: string, on: boolean) =>
        onAnswer({ type: "choices", options: on ? [...chosen, option] : chosen.filter((one) => one !== option) });
      return (
        <>
          <p className="quiet">Choose all that are right. A wrong choice takes away from a right one.</p>
          <Options kind="checkbox" name={id} options={asked.options} chosen={chosen} onToggle={toggle} />
        </>
      );
    }
    case "true_false":
      return (
        <Options
          kind="radio"
          name={id}
          options={[
            { id: "true", text: "True" },
            { id: "false", text: "False" },
          ]}
          chosen={answered?.type === "truth" ? [String(answered.value)] : []}
          onToggle={(option) => onAnswer({ type: "truth", value: option === "true" })}
        />
      );
    case "cloze":
      return <Cloze parts={asked.parts} answered={answered} onAnswer={onAnswer} />;
    case "short_answer":
    case "essay":
      return <Text asked={asked} answered={answered} onAnswer={onAnswer} />;
    case "matching":
      return <Matching left={asked.left} right={asked.right} answered={answered} onAnswer={onAnswer} />;
    case "ordering":
      return <Ordering items={asked.items} answered={answered} onAnswer={onAnswer} />;
    case "numeric":
      return <Numeric unit={asked.unit} answered={answered} onAnswer={onAnswer} />;
  }
}

interface OptionsProps {
  kind: "radio" | "checkbox";
  name: string;
  options: Item[];
  chosen: string[];
  onToggle: (id: string, on: boolean) => void;
}

function Options({ kind, name, options, chosen, onToggle }: OptionsProps) {
  return (
    <ul className="options">
      {options.map(({ id, text }) => (
        <li key={id}>
          <label className="option">
            <input
              type={kind}
              name={name}
              checked={chosen.includes(id)}
              onChange={(event) => onToggle(id, event.currentTarget.checked)}
            />
            <span>
              <Words text={text} />
            </span>
          </label>
        </li>
      ))}
    </ul>
  );
}

type Rest = Pick<FieldProps, "answered" | "onAnswer">;

function Cloze({ parts, answered, onAnswer }: Rest & { parts: string[] }) {
  const count = parts.length - 1;
  const texts = Array.from({ length: count }, (_, n) => (answered?.type === "blanks" ? (answered.texts[n] ?? "") : ""));
  return (
    <p className="cloze">
      {parts.map((part, n) => (
        <span key={n}>
          <Words text={part} />
          {n < count ? (
            <input
              aria-label={count > 1 ? `Blank ${n + 1} of ${count}` : "The blank"}
              value={texts[n]}
              maxLength={400}
              autoComplete="off"
              autoCapitalize="none"
              onChange={(event) => {
                const text = event.currentTarget.value;
                onAnswer({ type: "blanks", texts: texts.map((old, m) => (m === n ? text : old)) }, true);
              }}
            />
          ) : null}
        </span>
      ))}
    </p>
  );
}

function Text({ asked, answered, onAnswer }: Rest & { asked: Asked }) {
  const id = useId();
  const text = answered?.type === "text" ? answered.text : "";
  const least = asked.type === "essay" ? asked.least_words : null;
  const words = text.split(/\s+/).filter(Boolean).length;
  const long = asked.type === "essay";
  const change = (text: string) => onAnswer({ type: "text", text }, true);
  return (
    <>
      <label htmlFor={id}>
        Your answer{" "}
        <small>{long ? (least ? `(at least ${plural(least, "word")})` : "(a person reads it)") : "(a few words)"}</small>
      </label>
      {long ? (
        <textarea
          id={id}
          rows={9}
          maxLength={20_000}
          value={text}
          aria-describedby={`${id}-count`}
          onChange={(event) => change(event.currentTarget.value)}
        />
      ) : (
        <input
          id={id}
          value={text}
          maxLength={2_000}
          autoComplete="off"
          onChange={(event) => change(event.currentTarget.value)}
        />
      )}
      {long ? (
        <p id={`${id}-count`} className="quiet">
          {plural(words, "word")}
          {least && words < least ? `, ${plural(least - words, "more word", "more words")} asked for` : ""}
        </p>
      ) : null}
    </>
  );
}

function Matching({ left, right, answered, onAnswer }: Rest & { left: Item[]; right: Item[] }) {
  const id = useId();
  const pairs = new Map(answered?.type === "pairs" ? answered.pairs : []);
  return (
    <ul className="pairs">
      {left.map((item) => (
        <li key={item.id}>
          <label htmlFor={`${id}-${item.id}`}>
            <Words text={item.text} />
          </label>
          <select
            id={`${id}-${item.id}`}
            value={pairs.get(item.id) ?? ""}
            onChange={(event) => {
              const partner = event.currentTarget.value;
              const next = new Map(pairs);
              if (partner) next.set(item.id, partner);
              else next.delete(item.id);
              onAnswer({ type: "pairs", pairs: [...next] });
            }}
          >
            <option value="">Choose…</option>
            {right.map((partner) => (
              <option key={partner.id} value={partner.id}>
                {partner.text}
              </option>
            ))}
          </select>
        </li>
      ))}
    </ul>
  );
}

function Ordering({ items, answered, onAnswer }: Rest & { items: Item[] }) {
  const list = useRef<HTMLOListElement>(null);
  const [said, say] = useState("");
  const order = answered?.type === "order" ? answered.items : items.map((item) => item.id);
  const shown = order.flatMap((id) => items.find((item) => item.id === id) ?? []);
  const move = (from: number, by: number) => {
    const next = shown.map((item) => item.id);
    const [moved] = next.splice(from, 1);
    if (moved === undefined) return;
    const to = from + by;
    next.splice(to, 0, moved);
    onAnswer({ type: "order", items: next });
    say(`${shown[from]?.text ?? ""}: now ${to + 1} of ${next.length}`);
    // At either end the button that was pressed goes away; its neighbour takes the focus.
    requestAnimationFrame(() => {
      const row = list.current?.children[to];
      const same = row?.querySelector<HTMLButtonElement>(by < 0 ? "[data-up]" : "[data-down]");
      (same?.disabled ? row?.querySelector<HTMLButtonElement>("button:enabled") : same)?.focus();
    });
  };
  return (
    <>
      <ol className="order" ref={list}>
        {shown.map((item, n) => (
          <li key={item.id}>
            <span className="number" aria-hidden="true">
              {n + 1}
            </span>
            <span>
              <Words text={item.text} />
            </span>
            <span className="moves">
              <button type="button" data-up disabled={n === 0} onClick={() => move(n, -1)} aria-label={`Up: ${item.text}`}>
                ↑
              </button>
              <button
                type="button"
                data-down
                disabled={n === shown.length - 1}
                onClick={() => move(n, 1)}
                aria-label={`Down: ${item.text}`}
              >
                ↓
              </button>
            </span>
          </li>
        ))}
      </ol>
      <p className="hidden" role="status">
        {said}
      </p>
      {answered ? null : (
        <button type="button" onClick={() => onAnswer({ type: "order", items: order })}>
          This order is right as it is
        </button>
      )}
    </>
  );
}

function Numeric({ unit, answered, onAnswer }: Rest & { unit: boolean }) {
  const id = useId();
  const saved = answered?.type === "number" ? answered : null;
  const [text, setText] = useState(saved ? String(saved.value) : "");
  const [measure, setMeasure] = useState(saved?.unit ?? "");
  const wrong = text.trim() !== "" && number(text) === null;
  const change = (text: string, unit: string) => {
    setText(text);
    setMeasure(unit);
    const value = number(text);
    if (value !== null) onAnswer({ type: "number", value, unit: unit.trim() }, true);
  };
  return (
    <div className="numeric">
      <div>
        <label htmlFor={id}>Number</label>
        <input
          id={id}
          inputMode="decimal"
          autoComplete="off"
          value={text}
          aria-invalid={wrong}
          aria-describedby={wrong ? `${id}-wrong` : undefined}
          onChange={(event) => change(event.currentTarget.value, measure)}
        />
      </div>
      {unit ? (
        <div>
          <label htmlFor={`${id}-unit`}>Unit</label>
          <input
            id={`${id}-unit`}
            autoComplete="off"
            autoCapitalize="none"
            value={measure}
            maxLength={40}
            onChange={(event) => change(text, event.currentTarget.value)}
          />
        </div>
      ) : null}
      {wrong ? (
        <p id={`${id}-wrong`} className="wrong" role="status">
          This is not a number that can be saved. Write it like 44.1
        </p>
      ) : null}
    </div>
  );
}
