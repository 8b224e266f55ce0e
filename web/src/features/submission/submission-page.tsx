/** One text of a learner: the released grade by criterion, what it rests on in the text, and the way to appeal. */
import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { Link, useParams } from "react-router";
import { api, take } from "../../api/client";
import { letter } from "../../api/grading";
import { EvidenceText } from "../../ui/evidence-text";
import { moment } from "../../ui/moment";
import { points } from "../../ui/plural";
import { Problem, Waiting } from "../../ui/state";
import { useTitle } from "../../ui/title";
import { Words } from "../../ui/words";
import { AppealForm } from "./appeal-form";
import { OUTCOMES, WAITS, type Given, type Grade, type Submission } from "./words";

export function SubmissionPage() {
  const { course = "", submission = "" } = useParams();
  useTitle("What you handed in");
  const [active, look] = useState<string | null>(null);
  const found = useQuery({
    queryKey: ["submission", submission],
    queryFn: () => take(api.GET("/api/v1/submissions/{id}", { params: { path: { id: submission } } })),
  });
  useEffect(() => {
    // On a narrow page the text is far above what was pressed.
    if (active) document.querySelector(".handed-in mark.active")?.scrollIntoView({ block: "nearest" });
  }, [active]);
  const one = found.data?.data.attributes as unknown as Submission | undefined;
  const grade = one?.grade ?? null;
  return (
    <div className="page wide-page">
      <p>
        <Link to={`/courses/${course}/submissions`}>← What you handed in</Link>
      </p>
      {found.isPending ? <Waiting what="your text" /> : null}
      {found.isError ? (
        <Problem title="This text cannot be shown" error={found.error} retry={() => void found.refetch()} />
      ) : null}
      {one ? (
        <>
          <h1 className="asked">
            <Words text={one.stem} />
          </h1>
          <p className="quiet">Handed in {moment(one.submittedAt)}</p>
          {grade ? (
            <p className="score">
              <strong>
                {points(grade.points)} of {points(grade.most)}
              </strong>{" "}
              {grade.most === 1 ? "point" : "points"}{" "}
              {grade.releasedAt ? <span className="quiet">released {moment(grade.releasedAt)}</span> : null}
            </p>
          ) : (
            <p className="notice-box">
              <b>{WAITS}.</b> Up to {points(one.most)} points are open; none are counted until a person has read it.
            </p>
          )}
          {grade?.comment ? (
            <blockquote className="source">
              <p>{grade.comment}</p>
            </blockquote>
          ) : null}
          <div className="bench-sides">
            <div className="bench-text">
              <h2>Your text</h2>
              <EvidenceText
                text={one.text}
                criteria={(grade?.criteria ?? []).map(({ criterion, evidence }) => ({ id: criterion, evidence }))}
                active={active}
              />
              {grade?.criteria.some((given) => given.evidence.length > 0) ? (
                <p className="quiet">
                  Marked is what the grade rests on; the letters name what it was looked at for.
                </p>
              ) : grade ? (
                <p className="quiet">No passage was marked for this grade.</p>
              ) : null}
            </div>
            {grade ? <Marks grade={grade} active={active} look={look} /> : null}
          </div>
          {one.appeals.length > 0 ? <Appeals one={one} /> : null}
          {grade && !one.appeals.some((appeal) => appeal.outcome === "open") ? (
            <AppealForm submission={submission} course={course} criteria={grade.criteria} />
          ) : null}
        </>
      ) : null}
    </div>
  );
}

interface MarksProps {
  grade: Grade;
  active: string | null;
  look: (criterion: string | null) => void;
}

function Marks({ grade, active, look }: MarksProps) {
  return (
    <div className="bench-rubric">
      <h2>How it was judged</h2>
      <ol className="marks">
        {grade.criteria.map((given, place) => (
          <li key={given.criterion} className={active === given.criterion ? "criterion active" : "criterion"}>
            <h3>
              <span className="letter" aria-hidden="true">
                {letter(place)}
              </span>{" "}
              {given.title}
            </h3>
            {given.description ? <p className="quiet">{given.description}</p> : null}
            <Steps given={given} worth={worth(grade, given)} />
            {given.comment ? (
              <blockquote className="source">
                <p>{given.comment}</p>
              </blockquote>
            ) : null}
            {given.evidence.length > 0 ? (
              <>
                <ul className="quotes">
                  {given.evidence.map(({ start, quote }) => (
                    <li key={start}>
                      <q>{quote}</q>
                    </li>
                  ))}
                </ul>
                <button
                  type="button"
                  aria-pressed={active === given.criterion}
                  onClick={() => look(active === given.criterion ? null : given.criterion)}
                >
                  Show in your text
                </button>
              </>
            ) : null}
          </li>
        ))}
      </ol>
    </div>
  );
}

/** Points of the whole that a full level of it is worth. */
function worth(grade: Grade, given: Given): number | null {
  const whole = grade.criteria.reduce((sum, one) => sum + one.weight, 0);
  return whole > 0 ? (given.weight / whole) * grade.most : null;
}

function inPoints(value: number): string {
  return `${points(value)} ${points(value) === "1" ? "point" : "points"}`;
}

function Steps({ given, worth }: { given: Given; worth: number | null }) {
  if (given.levels.length === 0) return <p>Level: {given.level}</p>;
  return (
    <ul className="key">
      {given.levels.map((level) => {
        const got = level.id === given.level;
        return (
          <li key={level.id} className={got ? "got" : ""}>
            <span className="sign" aria-hidden="true">
              {got ? "✓" : "–"}
            </span>
            <span>
              {got ? <b>{level.title}</b> : level.title}
              {got ? <span className="right-word"> given</span> : null}
              {worth !== null ? <small className="quiet">{inPoints(level.share * worth)}</small> : null}
            </span>
          </li>
        );
      })}
    </ul>
  );
}

function Appeals({ one }: { one: Submission }) {
  const named = (id: string) => one.grade?.criteria.find((given) => given.criterion === id)?.title ?? id;
  return (
    <section className="appeals" aria-labelledby="appeals">
      <h2 id="appeals">{one.appeals.length === 1 ? "Your appeal" : "Your appeals"}</h2>
      <ol>
        {one.appeals.map((appeal) => (
          <li key={appeal.id}>
            <p className="facts-line">
              <span className="tag">{OUTCOMES[appeal.outcome] ?? appeal.outcome}</span>
              <span className="quiet">
                against {appeal.criterion ? `“${named(appeal.criterion)}”` : "the whole grade"},{" "}
                {moment(appeal.createdAt)}
                {appeal.outcome === "open" ? `; an answer is due by ${moment(appeal.dueAt)}` : ""}
                {appeal.answeredAt ? `; answered ${moment(appeal.answeredAt)}` : ""}
              </span>
            </p>
            <p>{appeal.text}</p>
            {appeal.answer ? (
              <blockquote className="source">
                <p>{appeal.answer}</p>
                <footer className="quiet">The answer of those who teach</footer>
              </blockquote>
            ) : null}
          </li>
        ))}
      </ol>
    </section>
  );
}
