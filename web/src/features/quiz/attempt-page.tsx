/** Taking a quiz: every change is saved, the server's clock counts, handing in names what is open. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useRef, useState, useSyncExternalStore } from "react";
import { Link, Navigate, useNavigate, useParams } from "react-router";
import { api, Refused, take, type Schemas } from "../../api/client";
import { complete, type Answered, type Asked } from "../../api/question";
import { points } from "../../ui/plural";
import { Problem, Waiting } from "../../ui/state";
import { useTitle } from "../../ui/title";
import { Words } from "../../ui/words";
import { AnswerField } from "./answer-field";
import { inClock, useLeft, warning } from "./clock";
import { Saver, type Saving } from "./saver";

const TYPING_PAUSE = 700;

export function AttemptPage() {
  const { course = "", quiz = "", attempt = "" } = useParams();
  const found = useQuery({
    queryKey: ["attempt", attempt],
    queryFn: () => take(api.GET("/api/v1/attempts/{id}", { params: { path: { id: attempt } } })),
    // What was typed since then is newer than what a second look would bring.
    staleTime: Infinity,
    gcTime: 0,
  });
  const attributes = found.data?.data.attributes;
  useTitle(attributes?.title ?? "Quiz");
  const back = `/courses/${course}/quizzes/${quiz}`;
  if (attributes && attributes.state !== "open") return <Navigate to={back} replace />;
  return (
    <div className="page">
      {found.isPending ? <Waiting what="the quiz" /> : null}
      {found.isError ? (
        <>
          <p>
            <Link to={back}>← The quiz</Link>
          </p>
          <Problem title="This attempt cannot be shown" error={found.error} retry={() => void found.refetch()} />
        </>
      ) : null}
      {attributes ? (
        <Taking key={attempt} id={attempt} quiz={quiz} back={back} taken={attributes} arrived={found.dataUpdatedAt} />
      ) : null}
    </div>
  );
}

interface TakingProps {
  id: string;
  quiz: string;
  back: string;
  taken: Schemas["AttemptAttributes"];
  arrived: number;
}

type Posed = Omit<Schemas["PosedAttributes"], "asked" | "response"> & { asked: Asked; response?: Answered | null };

function Taking({ id, quiz, back, taken, arrived }: TakingProps) {
  const queries = useQueryClient();
  const navigate = useNavigate();
  const questions = taken.questions as unknown as Posed[];
  const [answers, setAnswers] = useState(
    () => new Map(questions.flatMap(({ asked, response }) => (response ? [[asked.id, response] as const] : []))),
  );
  const [saver] = useState(() => {
    const saver = new Saver(async (question, seq, response) => {
      const path = { id, question };
      const body = { seq, response: response as unknown as Record<string, never> };
      const answer = await take(api.PUT("/api/v1/attempts/{id}/responses/{question}", { params: { path }, body }));
      return answer.data.attributes.newest;
    });
    for (const { asked, seq } of questions) saver.begin(asked.id, seq);
    return saver;
  });
  const confirm = useRef<HTMLDialogElement>(null);
  const open = questions.flatMap(({ asked }, n) => (complete(asked, answers.get(asked.id)) ? [] : [n]));
  const left = useLeft(taken.deadline, taken.now, arrived);
  const over = left !== null && left <= 0;

  const submit = useMutation({
    mutationFn: async (late: boolean) => {
      if (!(await saver.flush()) && !late) throw new Refused("some answers have not reached the server yet", 503);
      return take(api.POST("/api/v1/assessments/{id}/submit", { params: { path: { id: quiz } } }));
    },
    onSuccess: async (_, late) => {
      saver.stop();
      // What the answers tell of this learner is new everywhere.
      for (const name of ["mastery", "next-steps", "reviews"]) void queries.invalidateQueries({ queryKey: [name] });
      await queries.invalidateQueries({ queryKey: ["results", quiz] });
      await navigate(back, { replace: true, state: { handedIn: late ? "late" : "now" } });
    },
  });
  const { mutate } = submit;
  useEffect(() => {
    if (over) mutate(true);
  }, [over, mutate]);
  const near = left !== null && left < 3;
  useEffect(() => {
    if (near) void saver.flush();
  }, [near, saver]);
  useEffect(() => {
    const stay = (event: BeforeUnloadEvent) => {
      if (saver.dirty) event.preventDefault();
    };
    const again = () => void saver.flush();
    window.addEventListener("beforeunload", stay);
    window.addEventListener("online", again);
    return () => {
      window.removeEventListener("beforeunload", stay);
      window.removeEventListener("online", again);
      void saver.flush();
    };
  }, [saver]);

  const answer = useCallback(
    (question: string, answered: Answered, typed?: boolean) => {
      setAnswers((all) => new Map(all).set(question, answered));
      saver.set(question, answered, typed ? TYPING_PAUSE : 0);
    },
    [saver],
  );
  const show = (n: number) => {
    confirm.current?.close();
    const place = document.getElementById(`question-${n + 1}`);
    place?.scrollIntoView({ block: "start" });
    place?.focus({ preventScroll: true });
  };
  return (
    <>
      <div className="attempt-bar">
        <div>
          <h1>{taken.title}</h1>
          <p className="quiet">
            {questions.length - open.length} of {questions.length} answered
            {taken.preview ? ". A try of yours as a teacher: it never counts." : ""}
          </p>
        </div>
        {left === null ? null : <Clock left={left} />}
        <button type="button" className="main" onClick={() => confirm.current?.showModal()} disabled={submit.isPending}>
          {submit.isPending ? "Handing in…" : "Hand in"}
        </button>
      </div>
      {submit.isError ? (
        <Problem title="The quiz was not handed in" error={submit.error} retry={() => mutate(over)} />
      ) : null}
      <ol className="questions">
        {questions.map(({ asked, points: worth }, n) => (
          <li key={asked.id}>
            <fieldset id={`question-${n + 1}`} tabIndex={-1} disabled={over || submit.isPending}>
              <legend>
                <span className="quiet">
                  Question {n + 1} of {questions.length}, {points(worth)} {worth === 1 ? "point" : "points"}
                </span>
                <span className="stem">
                  <Words text={asked.stem} />
                </span>
              </legend>
              <AnswerField
                asked={asked}
                answered={answers.get(asked.id)}
                onAnswer={(answered, typed) => answer(asked.id, answered, typed)}
              />
            </fieldset>
            <Saved saver={saver} question={asked.id} number={n + 1} />
          </li>
        ))}
      </ol>
      <p>
        <button type="button" className="main" onClick={() => confirm.current?.showModal()} disabled={submit.isPending}>
          Hand in
        </button>
      </p>
      <dialog ref={confirm} aria-labelledby="hand-in">
        <h2 id="hand-in">Hand in “{taken.title}”?</h2>
        {open.length === 0 ? (
          <p>Every question has an answer. After handing in, the answers cannot be changed.</p>
        ) : (
          <>
            <p>
              {open.length === 1 ? "One question is" : `${open.length} questions are`} not answered, or not to the end.
              After handing in, the answers cannot be changed.
            </p>
            <ul className="open-questions">
              {open.map((n) => (
                <li key={n}>
                  <button type="button" onClick={() => show(n)}>
                    <b>Question {n + 1}</b> <Words text={questions[n]?.asked.stem ?? ""} />
                  </button>
                </li>
              ))}
            </ul>
          </>
        )}
        <p className="actions">
          <button type="button" onClick={() => confirm.current?.close()}>
            Go on answering
          </button>
          <button
            type="button"
            className="main"
            onClick={() => {
              confirm.current?.close();
              mutate(false);
            }}
          >
            Hand in now
          </button>
        </p>
      </dialog>
    </>
  );
}

function Clock({ left }: { left: number }) {
  const before = useRef(left);
  const [said, say] = useState("");
  useEffect(() => {
    const words = warning(before.current, left);
    before.current = left;
    if (words) say(words);
  }, [left]);
  return (
    <div className={left <= 60 ? "time-left last" : left <= 300 ? "time-left soon" : "time-left"}>
      <span role="timer" aria-label="Time left">
        {inClock(left)}
      </span>{" "}
      <span className="quiet">left</span>
      <p className="said" role="status">
        {said}
      </p>
    </div>
  );
}

const SAYS: Record<Saving["state"], string> = {
  idle: "",
  saving: "Saving…",
  saved: "Saved",
  retrying: "Not saved: the server does not answer. Trying again…",
  refused: "Not saved",
  elsewhere: "Another window saved a newer answer; reload to see it",
};

function Saved({ saver, question, number }: { saver: Saver; question: string; number: number }) {
  const { state, message } = useSyncExternalStore(saver.subscribe, () => saver.state(question));
  const bad = state === "retrying" || state === "refused" || state === "elsewhere";
  return (
    // Only what needs attention is said aloud: "saved" after each key would drown the question.
    <p className={bad ? "save bad" : "save"} role={bad ? "alert" : undefined} data-save={state}>
      {bad ? <span className="hidden">Question {number}: </span> : null}
      {SAYS[state]}
      {message ? `: ${message}` : ""}
    </p>
  );
}
