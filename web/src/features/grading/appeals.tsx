/** What the learner holds against the grade, and the answer. */
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useId, useState, type FormEvent } from "react";
import { api, take } from "../../api/client";
import type { Appeal, Criterion } from "../../api/grading";
import { moment } from "../../ui/moment";
import { Problem } from "../../ui/state";

const OUTCOMES: Record<string, string> = {
  open: "Open",
  upheld: "Answered, the points stayed",
  changed: "Answered, the points changed",
};

interface Props {
  all: Appeal[];
  criteria: Criterion[];
  submission: string;
  course: string;
  mayAnswer: boolean;
}

export function Appeals({ all, criteria, submission, course, mayAnswer }: Props) {
  if (all.length === 0) return null;
  return (
    <section className="appeals" aria-labelledby="appeals">
      <h3 id="appeals">{all.length === 1 ? "Appeal" : "Appeals"}</h3>
      <ol>
        {all.map((one) => (
          <li key={one.id} className={one.outcome}>
            <p className="facts-line">
              <span className={one.outcome === "open" ? "tag urgent" : "tag"}>
                {OUTCOMES[one.outcome] ?? one.outcome}
              </span>
              <span className="quiet">
                against{" "}
                {one.criterion
                  ? `“${criteria.find(({ id }) => id === one.criterion)?.title ?? one.criterion}”`
                  : "the whole grade"}
                , {moment(one.createdAt)}
                {one.outcome === "open" ? `; answer by ${moment(one.dueAt)}` : ""}
              </span>
            </p>
            <blockquote className="source">
              <p>{one.text}</p>
            </blockquote>
            {one.answer ? (
              <p>
                <b>Answer:</b> {one.answer}
              </p>
            ) : null}
            {one.outcome === "open" && mayAnswer ? (
              <Answer appeal={one.id} submission={submission} course={course} />
            ) : null}
          </li>
        ))}
      </ol>
    </section>
  );
}

function Answer({ appeal, submission, course }: { appeal: string; submission: string; course: string }) {
  const queries = useQueryClient();
  const id = useId();
  const [text, write] = useState("");
  const answer = useMutation({
    mutationFn: () =>
      take(api.POST("/api/v1/appeals/{id}/answer", { params: { path: { id: appeal } }, body: { text: text.trim() } })),
    onSuccess: () =>
      Promise.all([
        queries.invalidateQueries({ queryKey: ["bench", submission] }),
        queries.invalidateQueries({ queryKey: ["grading", course] }),
      ]),
  });
  const send = (event: FormEvent) => {
    event.preventDefault();
    if (text.trim() !== "") answer.mutate();
  };
  return (
    <form onSubmit={send}>
      <label htmlFor={id}>Your answer to the learner</label>
      <textarea id={id} rows={3} required value={text} onChange={(event) => write(event.currentTarget.value)} />
      <p className="quiet">
        Whether the points changed is read from the grades, not from your answer. If the appeal is right, set and
        release the new grade first.
      </p>
      {answer.isError ? <Problem title="The answer was not sent" error={answer.error} /> : null}
      <p className="actions">
        <button type="submit" className="main" disabled={answer.isPending || text.trim() === ""}>
          {answer.isPending ? "Sending…" : "Answer the appeal"}
        </button>
      </p>
    </form>
  );
}
