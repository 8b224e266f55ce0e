/** What was handed in and waits for a person, as a list. */
import { Link } from "react-router";
import { percent } from "../../api/grading";
import type { Schemas } from "../../api/client";
import { moment } from "../../ui/moment";
import { points } from "../../ui/plural";
import { Words } from "../../ui/words";
import { flagged, STATE_NAMES } from "./words";

export interface Queued {
  id: string;
  attributes: Omit<Schemas["QueuedAttributes"], "flags"> & { flags: string[] };
}

export function Queue({ all, address }: { all: Queued[]; address: (id: string) => string }) {
  return (
    <ol className="queue">
      {all.map(({ id, attributes: one }) => (
        <li key={id}>
          <Link to={address(id)}>
            <strong>
              <Words text={one.stem} />
            </strong>
            <span className="excerpt">{one.excerpt || "An empty text"}</span>
            <span className="facts-line">
              {one.appealDueAt ? <span className="tag urgent">Appeal, answer by {moment(one.appealDueAt)}</span> : null}
              <span className="tag">{STATE_NAMES[one.state] ?? one.state}</span>
              <Figure one={one} />
              {one.flags.map((flag) => (
                <span key={flag} className="tag flag">
                  {flagged(flag)}
                </span>
              ))}
            </span>
            <small className="quiet">Handed in {moment(one.submittedAt)}</small>
          </Link>
        </li>
      ))}
    </ol>
  );
}

function Figure({ one }: { one: Queued["attributes"] }) {
  const most = points(one.most);
  if (one.points != null) {
    return (
      <span className="tag">
        {points(one.points)} of {most} points
      </span>
    );
  }
  if (one.confidence == null) return <span className="quiet">No proposal yet, up to {most} points</span>;
  return (
    <span className="quiet">
      {one.proposed == null ? `Proposed in part, up to ${most}` : `Proposed: ${points(one.proposed)} of ${most}`}{" "}
      points, {percent(one.confidence)} sure
    </span>
  );
}
