import { useQuery } from "@tanstack/react-query";
import { useEffect } from "react";
import { Link } from "react-router";
import { api, take } from "../../api/client";
import { Problem, Waiting } from "../../ui/state";

export function CataloguePage() {
  const courses = useQuery({
    queryKey: ["courses"],
    queryFn: () => take(api.GET("/api/v1/courses", { params: { query: { limit: "200" } } })),
  });
  useEffect(() => {
    document.title = "Courses – Lyceum";
  }, []);
  const list = courses.data?.data ?? [];
  return (
    <div className="page">
      <h1>Courses</h1>
      {courses.isPending ? <Waiting what="courses" /> : null}
      {courses.isError ? (
        <Problem title="The courses cannot be shown" error={courses.error} retry={() => void courses.refetch()} />
      ) : null}
      {courses.isSuccess && list.length === 0 ? (
        <p className="empty">
          No course is open to you yet. Ask an instructor to enrol you; a new course appears here at once.
        </p>
      ) : null}
      <ul className="cards">
        {list.map(({ id, attributes }) => (
          <li key={id}>
            <Link to={`/courses/${id}`}>
              <h2>{attributes.title}</h2>
              <p>{attributes.description || "No description yet."}</p>
              {attributes.status === "published" ? null : <span className="tag">{attributes.status}</span>}
            </Link>
          </li>
        ))}
      </ul>
    </div>
  );
}
