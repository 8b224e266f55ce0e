/** Quizzes of those who teach: made from approved questions, published, closed. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useId, useRef, useState, type FormEvent } from "react";
import { Link } from "react-router";
import { api, take } from "../../api/client";
import { plural, points } from "../../ui/plural";
import { Problem, Waiting } from "../../ui/state";
import { Words } from "../../ui/words";
import { TYPE_NAMES, type Question } from "./bank";

const SAYS: Record<string, string> = { draft: "Not published", published: "Published", closed: "Closed" };

interface NewQuiz {
  title: string;
  feedback: string;
  timeLimitSeconds?: number;
  attemptsAllowed?: number;
  items: { questionId: string; points: number }[];
}

export function QuizMaker({ course, approved, onMade }: { course: string; approved: Question[]; onMade: () => void }) {
  const id = useId();
  const queries = useQueryClient();
  const [left, leave] = useState<ReadonlySet<string>>(new Set());
  const chosen = approved.filter((one) => !left.has(one.id));
  const make = useMutation({
    mutationFn: (quiz: NewQuiz) => take(api.POST("/api/v1/assessments", { body: { courseId: course, ...quiz } })),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: ["quizzes", course] });
      onMade();
    },
  });
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const figure = (name: string) => Number(form.get(name) || 0);
    const [minutes, attempts] = [figure("minutes"), figure("attempts")];
    make.mutate({
      title: String(form.get("title") ?? "").trim(),
      feedback: String(form.get("feedback") ?? "after_submit"),
      ...(minutes ? { timeLimitSeconds: Math.round(minutes * 60) } : {}),
      ...(attempts ? { attemptsAllowed: attempts } : {}),
      items: chosen.map((one) => ({ questionId: one.id, points: figure("points") })),
    });
  };
  if (approved.length === 0) {
    return <p className="empty">Approve questions first: only approved ones can stand in a quiz.</p>;
  }
  return (
    <form onSubmit={submit}>
      <label htmlFor={`${id}-title`}>Title</label>
      <input id={`${id}-title`} name="title" required maxLength={200} />
      <div className="line-form">
        <div>
          <label htmlFor={`${id}-points`}>Points each</label>
          <input id={`${id}-points`} name="points" type="number" min={0.25} max={1000} step={0.25} defaultValue={1} required />
        </div>
        <div>
          <label htmlFor={`${id}-minutes`}>Minutes</label>
          <input id={`${id}-minutes`} name="minutes" type="number" min={0.5} max={1440} step={0.5} placeholder="no limit" />
        </div>
        <div>
          <label htmlFor={`${id}-attempts`}>Attempts</label>
          <input id={`${id}-attempts`} name="attempts" type="number" min={1} max={1000} placeholder="no limit" />
        </div>
        <div className="wide-field">
          <label htmlFor={`${id}-feedback`}>Score and right answers</label>
          <select id={`${id}-feedback`} name="feedback" defaultValue="after_submit">
            <option value="after_submit">When handed in</option>
            <option value="after_close">When the quiz is closed</option>
            <option value="never">Never</option>
          </select>
        </div>
      </div>
      <fieldset className="picks">
        <legend className="legend">
          Questions: {chosen.length} of {plural(approved.length, "approved one")}
        </legend>
        <ul className="options">
          {approved.map(({ id: question, draft }) => (
            <li key={question}>
              <label className="option">
                <input
                  type="checkbox"
                  checked={!left.has(question)}
                  onChange={(event) => {
                    const next = new Set(left);
                    if (event.currentTarget.checked) next.delete(question);
                    else next.add(question);
                    leave(next);
                  }}
                />
                <span>
                  <Words text={draft.stem} /> <small className="quiet">{TYPE_NAMES[draft.body.type]}</small>
                </span>
              </label>
            </li>
          ))}
        </ul>
      </fieldset>
      {make.isError ? <Problem title="The quiz was not made" error={make.error} /> : null}
      <p className="actions">
        <button type="submit" className="main" disabled={make.isPending || chosen.length === 0}>
          {make.isPending ? "Making…" : `Make a quiz of ${plural(chosen.length, "question")}`}
        </button>
      </p>
      <p className="quiet">Learners see it when it is published.</p>
    </form>
  );
}

export function Quizzes({ course }: { course: string }) {
  const queries = useQueryClient();
  const closing = useRef<HTMLDialogElement>(null);
  const [asked, ask] = useState<{ id: string; title: string } | null>(null);
  const list = useQuery({
    queryKey: ["quizzes", course],
    queryFn: () =>
      take(
        api.GET("/api/v1/courses/{id}/assessments", { params: { path: { id: course }, query: { limit: "200" } } }),
      ),
  });
  const move = useMutation({
    mutationFn: ({ id, to }: { id: string; to: "publish" | "close" }) =>
      take(api.POST(`/api/v1/assessments/{id}/${to}`, { params: { path: { id } } })),
    onSettled: async () => {
      await queries.invalidateQueries({ queryKey: ["quizzes", course] });
      await queries.invalidateQueries({ queryKey: ["bank", course] });
      await queries.invalidateQueries({ queryKey: ["quiz"] });
    },
  });
  const all = list.data?.data ?? [];
  return (
    <>
      {list.isPending ? <Waiting what="the quizzes" /> : null}
      {list.isError ? (
        <Problem title="The quizzes cannot be shown" error={list.error} retry={() => void list.refetch()} />
      ) : null}
      {list.isSuccess && all.length === 0 ? <p className="empty">No quiz was made yet.</p> : null}
      {move.isError ? <Problem title="The quiz stayed as it was" error={move.error} /> : null}
      <ul className="own-quizzes">
        {all.map(({ id, attributes }) => (
          <li key={id}>
            <div>
              <Link to={`/courses/${course}/quizzes/${id}`}>{attributes.title}</Link>
              <p className="quiet">
                {plural(attributes.questions, "question")} · {points(attributes.points)}{" "}
                {attributes.points === 1 ? "point" : "points"}
              </p>
            </div>
            <span className="tag">{SAYS[attributes.state] ?? attributes.state}</span>
            {attributes.state === "draft" ? (
              <button
                type="button"
                className="main"
                disabled={move.isPending}
                onClick={() => move.mutate({ id, to: "publish" })}
              >
                Publish<span className="hidden"> {attributes.title}</span>
              </button>
            ) : null}
            {attributes.state === "published" ? (
              <button
                type="button"
                disabled={move.isPending}
                onClick={() => {
                  ask({ id, title: attributes.title });
                  closing.current?.showModal();
                }}
              >
                Close<span className="hidden"> {attributes.title}</span>
              </button>
            ) : null}
          </li>
        ))}
      </ul>
      <dialog ref={closing} aria-labelledby="closing">
        <h2 id="closing">Close “{asked?.title}”?</h2>
        <p>Attempts that are running end at once, and a closed quiz is not opened again.</p>
        <p className="actions">
          <button type="button" onClick={() => closing.current?.close()}>
            Keep it open
          </button>
          <button
            type="button"
            className="main"
            onClick={() => {
              closing.current?.close();
              if (asked) move.mutate({ id: asked.id, to: "close" });
            }}
          >
            Close the quiz
          </button>
        </p>
      </dialog>
    </>
  );
}
