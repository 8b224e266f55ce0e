/** What a learner masters, weakest first, and how sure that is. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";
import { api, take } from "../../api/client";
import { plural } from "../../ui/plural";

const MOST = 12;

export function MasteryPanel({ course }: { course: string }) {
  const session = useQuery({ queryKey: ["session"], queryFn: () => take(api.GET("/api/v1/auth/session")) });
  const learns = session.data?.data.attributes.roles.some(
    ({ role, scopeId }) => role === "learner" && scopeId === course,
  );
  const found = useQuery({
    queryKey: ["mastery", course],
    queryFn: () => take(api.GET("/api/v1/courses/{id}/mastery", { params: { path: { id: course } } })),
    enabled: learns ?? false,
    retry: false,
  });
  // Without an answer it is only the assumption that everybody starts from.
  const seen = (found.data?.data ?? []).filter(({ attributes }) => attributes.answers > 0);
  if (seen.length === 0) return null;
  const weakest = [...seen].sort((a, b) => a.attributes.mastery - b.attributes.mastery).slice(0, MOST);
  const lesson = (one: { relationships: unknown }) =>
    (one.relationships as { content?: { data?: { id?: string } } }).content?.data?.id ?? "";
  return (
    <section aria-labelledby="mastery">
      <h2 id="mastery">What you master</h2>
      <p className="quiet">An estimate from your answers, weakest first. It is for you, and it is no mark.</p>
      <ul className="mastery">
        {weakest.map((one) => {
          const { id, attributes } = one;
          const percent = Math.round(attributes.mastery * 100);
          return (
            <li key={id}>
              <Link to={`/courses/${course}/lessons/${lesson(one)}`}>{attributes.concept}</Link>
              <meter min={0} max={100} value={percent} aria-label={`Mastery of ${attributes.concept}`} />
              <span>
                {percent} %{" "}
                <small className="quiet">
                  {attributes.correct} of {plural(attributes.answers, "answer")} right
                </small>
              </span>
            </li>
          );
        })}
      </ul>
    </section>
  );
}
