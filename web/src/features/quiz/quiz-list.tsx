/** The quizzes of a course. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";
import { api, take } from "../../api/client";
import { Problem, Waiting } from "../../ui/state";
import { facts, standing } from "./facts";

export function QuizList({ course }: { course: string }) {
  const quizzes = useQuery({
    queryKey: ["quizzes", course],
    queryFn: () =>
      take(
        api.GET("/api/v1/courses/{id}/assessments", {
          params: { path: { id: course }, query: { limit: "200" } },
        }),
      ),
  });
  const all = quizzes.data?.data ?? [];
  return (
    <section aria-labelledby="quizzes">
      <h2 id="quizzes">Quizzes</h2>
      {quizzes.isPending ? <Waiting what="the quizzes" /> : null}
      {quizzes.isError ? (
        <Problem title="The quizzes cannot be shown" error={quizzes.error} retry={() => void quizzes.refetch()} />
      ) : null}
      {quizzes.isSuccess && all.length === 0 ? <p className="empty">This course has no quiz yet.</p> : null}
      {all.length > 0 ? (
        <ul className="quizzes">
          {all.map(({ id, attributes }) => (
            <li key={id}>
              <Link to={`/courses/${course}/quizzes/${id}`}>
                <strong>{attributes.title}</strong>
                <span className="quiet">{facts(attributes)}</span>
                <span className="tag">{standing(attributes)}</span>
              </Link>
            </li>
          ))}
        </ul>
      ) : null}
    </section>
  );
}
