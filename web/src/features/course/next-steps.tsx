/** What to learn next. Each step says why; without a reason of its own nothing is recommended. */
import { useQuery } from "@tanstack/react-query";
import { Link } from "react-router";
import { api, take } from "../../api/client";

export function NextSteps({ course }: { course: string }) {
  const steps = useQuery({
    queryKey: ["next-steps", course],
    queryFn: () => take(api.GET("/api/v1/courses/{id}/recommendations", { params: { path: { id: course } } })),
    retry: false,
  });
  const list = steps.data?.data ?? [];
  if (list.length === 0) return null;
  return (
    <section className="next" aria-labelledby="next-steps">
      <h2 id="next-steps">Next for you</h2>
      <ol>
        {list.slice(0, 3).map(({ id, attributes }) => (
          <li key={id}>
            <Link to={`lessons/${id}`}>{attributes.title}</Link>
            <p>{attributes.reason.text}</p>
          </li>
        ))}
      </ol>
    </section>
  );
}
