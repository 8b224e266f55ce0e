import { useQuery } from "@tanstack/react-query";
import { useEffect } from "react";
import { Link, useParams } from "react-router";
import { api, take } from "../../api/client";
import { Problem, Waiting } from "../../ui/state";
import { NextSteps } from "./next-steps";

const KINDS: Record<string, string> = { VIDEO: "Video", DOCUMENT: "Text", INTERACTIVE: "Package", QUIZ: "Quiz" };

export function CoursePage() {
  const { course = "" } = useParams();
  const path = { params: { path: { id: course } } };
  const card = useQuery({
    queryKey: ["course", course],
    queryFn: () => take(api.GET("/api/v1/courses/{id}", path)),
  });
  const outline = useQuery({
    queryKey: ["outline", course],
    queryFn: () => take(api.GET("/api/v1/courses/{id}/modules", path)),
  });
  const session = useQuery({ queryKey: ["session"], queryFn: () => take(api.GET("/api/v1/auth/session")) });
  const title = card.data?.data.attributes.title;
  useEffect(() => {
    document.title = `${title ?? "Course"} – Lyceum`;
  }, [title]);
  if (card.isError) return <Problem title="This course cannot be shown" error={card.error} />;
  const modules = outline.data?.data ?? [];
  const roles = session.data?.data.attributes;
  const learns = roles?.roles.some((grant) => grant.role === "learner");
  return (
    <div className="page">
      <h1>{title ?? "…"}</h1>
      <p className="lead">{card.data?.data.attributes.description}</p>
      {roles?.permissions.includes("content.ingest") ? (
        <p>
          <Link className="button" to="ingestions">
            Content and its ingestion
          </Link>
        </p>
      ) : null}
      {learns ? <NextSteps course={course} /> : null}
      <h2>Lessons</h2>
      {outline.isPending ? <Waiting what="the outline" /> : null}
      {outline.isError ? (
        <Problem title="The outline cannot be shown" error={outline.error} retry={() => void outline.refetch()} />
      ) : null}
      {outline.isSuccess && modules.length === 0 ? (
        <p className="empty">This course has no lessons yet. They appear here when its first content is ingested.</p>
      ) : null}
      <ol className="modules">
        {modules.map(({ id, attributes }) => (
          <li key={id}>
            <h3>{attributes.title}</h3>
            <ol>
              {attributes.lessons.map((lesson) => (
                <li key={lesson.id}>
                  <Link to={`lessons/${lesson.id}`}>
                    <span>{lesson.title}</span>
                    <small>{KINDS[lesson.kind] ?? "Lesson"}</small>
                  </Link>
                </li>
              ))}
            </ol>
          </li>
        ))}
      </ol>
    </div>
  );
}
