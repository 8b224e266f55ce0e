/** The tutor beside a lesson: an answer from the course, each sentence with its place, or an honest no. */
import { useEffect, useId, useRef, useState, type FormEvent } from "react";
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
  return (
    <aside className="tutor" aria-labelledby={`${id}-title`}>
      <h2 id={`${id}-title`}>Tutor</h2>
      <div className="exchanges" role="log" aria-label="Questions and answers" tabIndex={0}>
        {exchanges.length === 0 ? (
          <p className="empty">
            Ask about this course. Answers come from its own lessons, with the place of every sentence. What the course
            does not cover, the tutor says so.
          </p>
        ) : null}
        {exchanges.map((exchange, index) => (
          <Shown key={index} exchange={exchange} onOpen={onOpen} />
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
    </aside>
  );
}

const SAYS: Record<string, string> = {
  declined: "This course does not cover that.",
  closest: "The course may not answer this. These passages come nearest.",
};

function Shown({ exchange, onOpen }: { exchange: Exchange; onOpen: (cited: Cited) => void }) {
  const { question, sentences, citations, answer, failure } = exchange;
  const says = SAYS[answer?.outcome ?? ""];
  return (
    <section className={`exchange ${answer?.outcome ?? ""}`}>
      <h3>{question}</h3>
      {says ? <p className="says">{says}</p> : null}
      {answer?.outcome === "declined" ? null : (
        <p>
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
      {!answer && !failure && sentences.length === 0 ? <p className="waiting">Looking in the course…</p> : null}
      <Places title="Sources" all={citations} numbered onOpen={onOpen} />
      {answer ? (
        <Places
          title={answer.outcome === "answered" ? "Also covered in" : "Nearest passages"}
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
          </li>
        ))}
      </ul>
    </>
  );
}
