/** What a learner handed in for a person to read. What waits has no points yet, and shows none. */
import { useQuery } from "@tanstack/react-query";
import { Link, useParams } from "react-router";
import { api, take } from "../../api/client";
import { related } from "../../api/grading";
import { moment } from "../../ui/moment";
import { points } from "../../ui/plural";
import { Problem, Waiting } from "../../ui/state";
import { useTitle } from "../../ui/title";
import { Words } from "../../ui/words";
import { WAITS, type Submission } from "./words";

const MOST_PAGES = 10;

/** Everything that can be seen, newest first. */
async function handedIn(course: string) {
  const all: { id: string; user: string; one: Submission }[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const query = { limit: "200", ...(cursor ? { cursor } : {}) };
    const answer = await take(
      api.GET("/api/v1/courses/{id}/submissions", { params: { path: { id: course }, query } }),
    );
    for (const found of answer.data) {
      all.push({ id: found.id, user: related(found, "user"), one: found.attributes as unknown as Submission });
    }
    const pages = answer.meta.pagination as { cursor?: { next?: string | null } } | undefined;
    cursor = pages?.cursor?.next ?? undefined;
    if (!cursor) break;
  }
  return all.sort((a, b) => Date.parse(b.one.submittedAt) - Date.parse(a.one.submittedAt));
}

export function SubmissionsPage() {
  const { course = "" } = useParams();
  useTitle("What you handed in");
  const session = useQuery({ queryKey: ["session"], queryFn: () => take(api.GET("/api/v1/auth/session")) });
  const list = useQuery({ queryKey: ["submissions", course], queryFn: () => handedIn(course) });
  const me = session.data?.data.id;
  const mine = list.data?.filter(({ user }) => user === "" || user === me) ?? [];
  return (
    <div className="page">
      <p>
        <Link to={`/courses/${course}`}>← The course</Link>
      </p>
      <h1>What you handed in</h1>
      <p className="lead">Texts that a person reads. What waits has no points yet.</p>
      {list.isPending || session.isPending ? <Waiting what="your texts" /> : null}
      {list.isError ? (
        <Problem title="Your texts cannot be shown" error={list.error} retry={() => void list.refetch()} />
      ) : null}
      {list.isSuccess && session.isSuccess && mine.length === 0 ? (
        <p className="empty">Nothing yet. Essays and short answers of a quiz appear here once you hand them in.</p>
      ) : null}
      <ol className="queue">
        {mine.map(({ id, one }) => (
          <li key={id}>
            <Link to={id}>
              <strong>
                <Words text={one.stem} />
              </strong>
              <span className="excerpt">{one.text.slice(0, 160)}</span>
              <span className="facts-line">
                {one.grade ? (
                  <span className="tag good">
                    {points(one.grade.points)} of {points(one.grade.most)} points
                  </span>
                ) : (
                  <span className="tag">{WAITS}</span>
                )}
                {one.appeals.some((appeal) => appeal.outcome === "open") ? (
                  <span className="tag">Your appeal waits for an answer</span>
                ) : null}
              </span>
              <small className="quiet">Handed in {moment(one.submittedAt)}</small>
            </Link>
          </li>
        ))}
      </ol>
    </div>
  );
}
