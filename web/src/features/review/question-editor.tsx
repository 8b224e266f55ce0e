/** Changing a question in place. What was changed is a draft again. */
import { useId, useState, type FormEvent, type ReactNode } from "react";
import type { Body, Choice, Draft } from "./bank";

interface Props {
  draft: Draft;
  busy: boolean;
  onSave: (draft: Draft) => void;
  onCancel: () => void;
}

const lines = (text: string) => text.split("\n").map((line) => line.trim()).filter(Boolean);

export function QuestionEditor({ draft, busy, onSave, onCancel }: Props) {
  const id = useId();
  const [stem, setStem] = useState(draft.stem);
  const [body, setBody] = useState(draft.body);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    // What the lint said was about the words before.
    const changed = stem.trim() !== draft.stem || JSON.stringify(body) !== JSON.stringify(draft.body);
    onSave({ ...draft, stem: stem.trim(), body, lint: changed ? [] : draft.lint });
  };
  return (
    <form
      onSubmit={submit}
      onKeyDown={(event) => {
        if (event.key === "Escape") onCancel();
      }}
    >
      <label htmlFor={`${id}-stem`}>Question</label>
      <textarea
        id={`${id}-stem`}
        rows={3}
        maxLength={4000}
        required
        autoFocus
        value={stem}
        onChange={(event) => setStem(event.currentTarget.value)}
      />
      <BodyFields body={body} onChange={setBody} />
      <p className="actions">
        <button type="submit" className="main" disabled={busy}>
          {busy ? "Saving…" : "Save as draft"}
        </button>
        <button type="button" onClick={onCancel}>
          Leave it as it was
        </button>
      </p>
    </form>
  );
}

interface BodyProps {
  body: Body;
  onChange: (body: Body) => void;
}

function BodyFields({ body, onChange }: BodyProps) {
  switch (body.type) {
    case "multiple_choice":
      return (
        <Choices
          kind="radio"
          options={body.options}
          right={[body.right]}
          onChange={(options, right) => onChange({ ...body, options, right: right[0] ?? body.right })}
        />
      );
    case "multiple_answer":
      return (
        <Choices
          kind="checkbox"
          options={body.options}
          right={body.right}
          onChange={(options, right) => onChange({ ...body, options, right })}
        />
      );
    case "true_false":
      return (
        <>
          <Field label="The statement is">
            {(id) => (
              <select
                id={id}
                value={String(body.right)}
                onChange={(event) => onChange({ ...body, right: event.currentTarget.value === "true" })}
              >
                <option value="true">True</option>
                <option value="false">False</option>
              </select>
            )}
          </Field>
          <Line label="Why" value={body.rationale ?? ""} onChange={(rationale) => onChange({ ...body, rationale })} />
        </>
      );
    case "cloze":
      return (
        <>
          {body.parts.map((part, n) => (
            <div key={n}>
              <Line
                label={n === 0 ? "Text before the first blank" : `Text after blank ${n}`}
                value={part}
                onChange={(text) => onChange({ ...body, parts: body.parts.map((old, m) => (m === n ? text : old)) })}
              />
              {body.blanks[n] ? (
                <Lines
                  label={`Blank ${n + 1} accepts (one a line)`}
                  value={body.blanks[n]}
                  onChange={(texts) =>
                    onChange({ ...body, blanks: body.blanks.map((old, m) => (m === n ? texts : old)) })
                  }
                />
              ) : null}
            </div>
          ))}
        </>
      );
    case "short_answer":
      return (
        <>
          <Lines
            label="Accepted answers (one a line)"
            value={body.accepted}
            onChange={(accepted) => onChange({ ...body, accepted })}
          />
          <Line
            label="A full answer, to judge others by"
            value={body.reference ?? ""}
            onChange={(text) => onChange({ ...body, reference: text || null })}
          />
        </>
      );
    case "matching":
      return (
        <>
          <Texts
            label="Left"
            all={body.left}
            onChange={(left) => onChange({ ...body, left })}
          />
          <Texts label="Right" all={body.right} onChange={(right) => onChange({ ...body, right })} />
        </>
      );
    case "ordering":
      return <Texts label="Step" all={body.items} onChange={(items) => onChange({ ...body, items })} />;
    case "numeric":
      return (
        <div className="numeric">
          <Figure label="Number" value={body.value} onChange={(value) => onChange({ ...body, value })} />
          <Figure label="Tolerance" value={body.tolerance} onChange={(tolerance) => onChange({ ...body, tolerance })} />
          <Line label="Unit" value={body.unit} onChange={(unit) => onChange({ ...body, unit })} />
        </div>
      );
    case "essay":
      return (
        <Line
          label="A good answer, for the person who reads"
          value={body.reference ?? ""}
          onChange={(text) => onChange({ ...body, reference: text || null })}
        />
      );
  }
}

interface ChoicesProps {
  kind: "radio" | "checkbox";
  options: Choice[];
  right: string[];
  onChange: (options: Choice[], right: string[]) => void;
}

function Choices({ kind, options, right, onChange }: ChoicesProps) {
  const id = useId();
  const text = (n: number, text: string) => options.map((old, m) => (m === n ? { ...old, text } : old));
  const mark = (option: string, on: boolean) => {
    if (kind === "radio") return [option];
    return on ? [...right, option] : right.filter((one) => one !== option);
  };
  return (
    <fieldset>
      <legend className="legend">Options; mark what is right</legend>
      {options.map((option, n) => (
        <div key={option.id} className="option-edit">
          <input
            type={kind}
            name={id}
            aria-label={`Option ${n + 1} is right`}
            checked={right.includes(option.id)}
            onChange={(event) => onChange(options, mark(option.id, event.currentTarget.checked))}
          />
          <input
            aria-label={`Option ${n + 1}`}
            value={option.text}
            required
            maxLength={4000}
            onChange={(event) => onChange(text(n, event.currentTarget.value), right)}
          />
        </div>
      ))}
    </fieldset>
  );
}

function Field({ label, children }: { label: string; children: (id: string) => ReactNode }) {
  const id = useId();
  return (
    <div>
      <label htmlFor={id}>{label}</label>
      {children(id)}
    </div>
  );
}

function Line({ label, value, onChange }: { label: string; value: string; onChange: (text: string) => void }) {
  return (
    <Field label={label}>
      {(id) => <input id={id} value={value} onChange={(event) => onChange(event.currentTarget.value)} />}
    </Field>
  );
}

function Lines({ label, value, onChange }: { label: string; value: string[]; onChange: (texts: string[]) => void }) {
  const [text, setText] = useState(value.join("\n"));
  return (
    <Field label={label}>
      {(id) => (
        <textarea
          id={id}
          rows={2}
          required
          value={text}
          onChange={(event) => {
            setText(event.currentTarget.value);
            onChange(lines(event.currentTarget.value));
          }}
        />
      )}
    </Field>
  );
}

function Figure({ label, value, onChange }: { label: string; value: number; onChange: (value: number) => void }) {
  const [text, setText] = useState(String(value));
  return (
    <Field label={label}>
      {(id) => (
        <input
          id={id}
          type="number"
          step="any"
          required
          value={text}
          onChange={(event) => {
            setText(event.currentTarget.value);
            if (event.currentTarget.value) onChange(event.currentTarget.valueAsNumber);
          }}
        />
      )}
    </Field>
  );
}

function Texts({ label, all, onChange }: { label: string; all: Choice[]; onChange: (all: Choice[]) => void }) {
  return (
    <>
      {all.map((one, n) => (
        <Line
          key={one.id}
          label={`${label} ${n + 1}`}
          value={one.text}
          onChange={(text) => onChange(all.map((old, m) => (m === n ? { ...old, text } : old)))}
        />
      ))}
    </>
  );
}
