/** One criterion at the bench: what is proposed and why, its levels to choose from, a word to the learner. */
import { useId, type Ref } from "react";
import { letter, percent, type Criterion, type Judged } from "../../api/grading";
import { points } from "../../ui/plural";
import type { Bench } from "./draft";
import { flagged } from "./words";

interface Props {
  place: number;
  criterion: Criterion;
  bench: Bench;
  judged: Judged | undefined;
  proposed: boolean;
  level: string | undefined;
  comment: string;
  active: boolean;
  readOnly: boolean;
  box: Ref<HTMLFieldSetElement>;
  look: () => void;
  pick: (level: string) => void;
  remark: (text: string) => void;
}

/** What a level is worth in points of the whole. */
function worth(bench: Bench, criterion: Criterion, share: number): string {
  const whole = bench.criteria.reduce((sum, one) => sum + one.points, 0);
  return points((share * criterion.points * bench.most) / (whole || 1));
}

export function CriterionField(props: Props) {
  const { place, criterion, bench, judged, proposed, level, comment, active, readOnly } = props;
  const { box, look, pick, remark } = props;
  const most = worth(bench, criterion, 1);
  const id = useId();
  return (
    <fieldset
      ref={box}
      className={active ? "criterion active" : "criterion"}
      tabIndex={-1}
      onFocus={look}
      onClick={look}
    >
      <legend>
        <span className="letter" aria-hidden="true">
          {letter(place)}
        </span>{" "}
        {criterion.title} <small className="quiet">{`${most} ${most === "1" ? "point" : "points"}`}</small>
      </legend>
      {criterion.description ? <p>{criterion.description}</p> : null}
      {criterion.reference ? (
        <details>
          <summary>What a full answer says</summary>
          <p>{criterion.reference}</p>
        </details>
      ) : null}
      {judged ? <Why judged={judged} criterion={criterion} /> : null}
      {proposed && !judged ? <p className="quiet">Not judged: it is not part of the proposal.</p> : null}
      <div className="levels">
        {criterion.levels.map((one, n) => (
          <label key={one.id} className="option">
            <input
              type="radio"
              name={id}
              value={one.id}
              checked={level === one.id}
              disabled={readOnly}
              onChange={() => pick(one.id)}
            />
            <span>
              {one.title} <small className="quiet">{worth(bench, criterion, one.share)}</small>
              {judged?.level === one.id ? <small className="tag">proposed</small> : null}
            </span>
            {n < 9 && !readOnly ? <kbd aria-hidden="true">{n + 1}</kbd> : null}
          </label>
        ))}
      </div>
      {readOnly ? null : (
        <>
          <label htmlFor={`${id}-c`} className="small">
            To the learner, about “{criterion.title}”
          </label>
          <textarea
            id={`${id}-c`}
            rows={1}
            value={comment}
            onChange={(event) => remark(event.currentTarget.value)}
          />
        </>
      )}
    </fieldset>
  );
}

function Why({ judged, criterion }: { judged: Judged; criterion: Criterion }) {
  const level = criterion.levels.find((one) => one.id === judged.level);
  return (
    <div className="why">
      {level ? (
        <p>
          Proposed: <b>{level.title}</b>, {percent(judged.confidence)} sure
        </p>
      ) : (
        <p>
          <b>Not judged</b>
          {judged.whyNot ? `: ${judged.whyNot}` : ""}
        </p>
      )}
      {judged.flags.length > 0 ? (
        <ul className="flags">
          {judged.flags.map((flag) => (
            <li key={flag}>{flagged(flag)}</li>
          ))}
        </ul>
      ) : null}
      {judged.evidence.length > 0 ? (
        <ul className="quotes">
          {judged.evidence.map((one) => (
            <li key={one.start}>
              <q>{one.quote}</q>
            </li>
          ))}
        </ul>
      ) : level ? (
        <p className="quiet">It rests on no passage of the text.</p>
      ) : null}
    </div>
  );
}
