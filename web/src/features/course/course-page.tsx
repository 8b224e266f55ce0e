import { useQuery } from "@tanstack/react-query";
import { useEffect, type ReactNode } from "react";
import { Link, useParams } from "react-router";
import { api, take, type Schemas } from "../../api/client";
import { Problem, Waiting } from "../../ui/state";
import { NextSteps } from "./next-steps";

interface Group {
  id: string;
  /** Nothing for modules that only repeat the title of their one lesson. */
  title: string | null;
  lessons: Schemas["LessonSummary"][];
}

function grouped(modules: { id: string; attributes: Schemas["ModuleAttributes"] }[]): Group[] {
  const groups: Group[] = [];
  for (const { id, attributes } of modules) {
    const { title, lessons } = attributes;
    const only = lessons.length === 1 && lessons[0]?.title === title;
    const last = groups.at(-1);
    if (only && last?.title === null) last.lessons.push(...lessons);
    else groups.push({ id, title: only ? null : title, lessons: [...lessons] });
  }
  return groups;
}

const KINDS: Record<string, string> = { VIDEO: "Video", DOCUMENT: "Text", INTERACTIVE: "Package", QUIZ: "Quiz" };

interface Props {
  /** What other features show of a course: above the lessons, and below. */
  above?: ReactNode;
  below?: ReactNode;
}

export function CoursePage({ above, below }: Props) {
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
  const ingests = roles?.permissions.includes("content.ingest");
  const reviews = roles?.roles.some(
    ({ role, scopeId }) => scopeId === course && (role === "instructor" || role === "teaching_assistant"),
  );
  const takes = roles?.roles.some(({ role, scopeId }) => scopeId === course && role === "learner");
  const learns = roles?.roles.some((grant) => grant.role === "learner");
  return (
    <div className="page">
      <h1>{title ?? "…"}</h1>
      <p className="lead">{card.data?.data.attributes.description}</p>
      {ingests || reviews ? (
        <p className="actions">
          {ingests ? (
            <Link className="button" to="ingestions">
              Content and its ingestion
            </Link>
          ) : null}
          {reviews ? (
            <>
              <Link className="button" to="questions">
                Questions and quizzes
              </Link>
              <Link className="button" to="grading">
                Grading
              </Link>
            </>
          ) : null}
        </p>
      ) : null}
      {learns ? <NextSteps course={course} /> : null}
      {above}
      {takes ? (
        <p>
          <Link className="button" to="submissions">
            What you handed in
          </Link>
        </p>
      ) : null}
      <h2>Lessons</h2>
      {outline.isPending ? <Waiting what="the outline" /> : null}
      {outline.isError ? (
        <Problem title="The outline cannot be shown" error={outline.error} retry={() => void outline.refetch()} />
      ) : null}
      {outline.isSuccess && modules.length === 0 ? (
        <p className="empty">This course has no lessons yet. They appear here when its first content is ingested.</p>
      ) : null}
      <ol className="modules">
        {grouped(modules).map(({ id, title, lessons }) => (
          <li key={id}>
            {title ? <h3>{title}</h3> : null}
            <ol>
              {lessons.map((lesson) => (
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
      {below}
    </div>
  );
}
