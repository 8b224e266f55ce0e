/** The tutor beside a lesson: an answer from the course, each sentence with its place, or an honest no. */
import { useEffect, useId, useRef, useState, type FormEvent } from "react";
import { useNarrow } from "../../ui/narrow";
import { Refused } from "../../api/client";
import { stream } from "../../api/events";
import { inWords } from "../../api/place";
import { heard, type Citation, type Exchange } from "./answer";

export type Cited = Pick<Citation, "lessonId" | "locator">;

const CUT_OFF = "The answer was cut off. Ask again.";

export function TutorPanel({ course, onOpen }: { course: string; onOpen: (cited: Cited) => void }) {
  const id = useId();
  const [exchanges, setExchanges] = useState<Exchange[]>([]);
  const [busy, setBusy] = useState(false);
  const running = useRef<AbortController>(null);
  const drawer = useRef<HTMLDialogElement>(null);
  const field = useRef<HTMLTextAreaElement>(null);
  const narrow = useNarrow();
  useEffect(() => () => running.current?.abort(), []);

  const ask = async (question: string) => {
    const stop = new AbortController();
    running.current = stop;
    let exchange: Exchange = { question, sentences: [], citations: [] };
    const show = (next: Exchange) => {
      exchange = next;
      setExchanges((all) => [...all.slice(0, -1), next]);
    };
    setExchanges((all) => [...all, exchange]);
    setBusy(true);
    try {
      const path = `/api/v1/courses/${course}/tutor/messages`;
      const headers = { "content-type": "application/json" };
      const init = { method: "POST", headers, body: JSON.stringify({ question }), signal: stop.signal };
      for await (const { name, data } of stream(path, init)) show(heard(exchange, name, data));
      if (!exchange.answer && !exchange.failure) show({ ...exchange, failure: CUT_OFF });
    } catch (error) {
      if (stop.signal.aborted) return;
      show({ ...exchange, failure: error instanceof Refused ? `${error.message}.` : CUT_OFF });
    } finally {
      setBusy(false);
    }
  };
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = event.currentTarget;
    const question = String(new FormData(form).get("question") ?? "").trim();
    if (!question || busy) return;
    form.reset();
    void ask(question);
  };
  const open = (cited: Cited) => {
    // The lesson is behind the drawer.
    drawer.current?.close();
    onOpen(cited);
  };
  const talk = (
    <>
      <div className="exchanges" role="log" aria-label="Questions and answers" tabIndex={0}>
        {exchanges.length === 0 ? (
          <p className="empty">
            Ask about this course. Answers come from its own lessons, with the place of every sentence. What the course
            does not cover, the tutor says so.
          </p>
        ) : null}
        {exchanges.map((exchange, index) => (
          <Shown key={index} exchange={exchange} onOpen={open} />
        ))}
      </div>
      <form onSubmit={submit}>
        <label htmlFor={`${id}-question`}>Your question</label>
        <textarea
          id={`${id}-question`}
          name="question"
          rows={2}
          maxLength={2000}
          required
          ref={field}
          onKeyDown={(event) => {
            if (event.key === "Enter" && !event.shiftKey && !event.nativeEvent.isComposing) {
              event.preventDefault();
              event.currentTarget.form?.requestSubmit();
            }
          }}
        />
        <button type="submit" className="main" disabled={busy}>
          {busy ? "Answering…" : "Ask"}
        </button>
      </form>
    </>
  );
  if (!narrow) {
    return (
      <aside className="tutor" aria-labelledby={`${id}-title`}>
        <h2 id={`${id}-title`}>Tutor</h2>
        {talk}
      </aside>
    );
  }
  return (
    <>
      <button
        type="button"
        className="main tutor-open"
        onClick={() => {
          drawer.current?.showModal();
          field.current?.focus();
        }}
      >
        Ask the tutor
      </button>
      <dialog ref={drawer} className="tutor drawer" aria-labelledby={`${id}-title`}>
        <div className="drawer-bar">
          <h2 id={`${id}-title`}>Tutor</h2>
          <button type="button" onClick={() => drawer.current?.close()}>
            Back to the lesson
          </button>
        </div>
        {talk}
      </dialog>
    </>
  );
}

const SAYS: Record<string, string> = {
  declined: "This course does not cover that.",
  closest: "The course may not answer this. These passages come nearest.",
};

function waiting(ahead: number | null | undefined): string {
  if (ahead === undefined) return "Looking in the course…";
  if (ahead === null) return "The language model is writing…";
  return ahead === 0 ? "Next in line for the language model…" : `In line for the language model: ${ahead} before this…`;
}

const NEAREST: Record<string, string> = { answered: "Also covered in", hint: "Where to read" };

function Shown({ exchange, onOpen }: { exchange: Exchange; onOpen: (cited: Cited) => void }) {
  const { question, citations, answer, failure } = exchange;
  const hint = answer?.outcome === "hint";
  // Of a hint the first sentence says why there is no answer, the others are the hint.
  const says = hint ? exchange.sentences[0]?.text : SAYS[answer?.outcome ?? ""];
  const sentences = hint ? exchange.sentences.slice(1) : exchange.sentences;
  return (
    <section className={`exchange ${answer?.outcome ?? ""}`}>
      <h3>{question}</h3>
      {says ? <p className="says">{says}</p> : null}
      {answer?.outcome === "declined" ? null : (
        <p>
          {hint && sentences.length > 0 ? <b>Hint: </b> : null}
          {sentences.map((sentence, index) => (
            <span key={index}>
              {sentence.text}{" "}
              {sentence.citations.map((number) => {
                const cited = citations[number];
                return cited ? (
                  <button
                    key={number}
                    type="button"
                    className="cite"
                    onClick={() => onOpen(cited)}
                    title={cited.quote}
                    aria-label={`Source ${number + 1}: ${cited.headingPath.at(-1) ?? cited.sourcePath}, ${inWords(cited.locator)}`}
                  >
                    {number + 1}
                  </button>
                ) : null;
              })}{" "}
            </span>
          ))}
        </p>
      )}
      {failure ? (
        <p className="problem" role="alert">
          {failure}
        </p>
      ) : null}
      {!answer && !failure && sentences.length === 0 ? <p className="waiting">{waiting(exchange.ahead)}</p> : null}
      <Places title="Sources" all={citations} numbered onOpen={onOpen} />
      {answer ? (
        <Places
          title={NEAREST[answer.outcome] ?? "Nearest passages"}
          all={answer.nearest}
          onOpen={onOpen}
        />
      ) : null}
      {answer?.notices.map((notice) => (
        <p key={notice} className="notice">
          {notice}
        </p>
      ))}
    </section>
  );
}

interface PlacesProps {
  title: string;
  all: Citation[];
  numbered?: boolean;
  onOpen: (cited: Cited) => void;
}

function Places({ title, all, numbered, onOpen }: PlacesProps) {
  if (all.length === 0) return null;
  return (
    <>
      <h4>{title}</h4>
      <ul className="places">
        {all.map((cited, index) => (
          <li key={index}>
            <button type="button" onClick={() => onOpen(cited)}>
              {numbered ? <b>{index + 1}</b> : null} {cited.headingPath.at(-1) ?? cited.sourcePath},{" "}
              {inWords(cited.locator)}
            </button>
            {cited.address ? (
              <>
                {" "}
                <a href={cited.address} target="_blank" rel="noreferrer">
                  in its repository
                </a>
              </>
            ) : null}
          </li>
        ))}
      </ul>
    </>
  );
}
