/** Every grade of a text; none is ever overwritten. */
import { useMemo } from "react";
import type { Criterion } from "../../api/grading";
import { moment } from "../../ui/moment";
import { plural, points } from "../../ui/plural";
import type { Past } from "./draft";

export function History({ all, criteria, me }: { all: Past[]; criteria: Criterion[]; me: string }) {
  const newest = useMemo(() => [...all].reverse(), [all]);
  if (all.length === 0) return null;
  const named = (id: string) => criteria.find((one) => one.id === id);
  return (
    <details className="panel">
      <summary>History: {plural(all.length, "grade")}</summary>
      <ol className="history">
        {newest.map((one) => (
          <li key={one.version}>
            <p>
              <b>
                {one.version}. {points(one.points)} of {points(one.most)} points
              </b>{" "}
              <span className="quiet">
                set {moment(one.gradedAt)} by {one.gradedBy === me ? "you" : "somebody else"},{" "}
                {one.releasedAt ? `released ${moment(one.releasedAt)}` : "not released"}, rubric version{" "}
                {one.rubricVersion}
              </span>
            </p>
            {one.reason ? <p>Reason: {one.reason}</p> : null}
            {one.comment ? <p>To the learner: {one.comment}</p> : null}
            <ul>
              {one.marks.map((mark) => (
                <li key={mark.criterion}>
                  {named(mark.criterion)?.title ?? mark.criterion}:{" "}
                  {named(mark.criterion)?.levels.find((level) => level.id === mark.level)?.title ?? mark.level}
                  {mark.comment ? ` (${mark.comment})` : ""}
                </li>
              ))}
            </ul>
          </li>
        ))}
      </ol>
    </details>
  );
}
