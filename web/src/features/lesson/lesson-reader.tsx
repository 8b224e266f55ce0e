import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense, useEffect } from "react";
import { Link } from "react-router";
import { api, raw, take } from "../../api/client";
import type { Place } from "../../api/place";
import { Problem, Waiting } from "../../ui/state";
import { Passages } from "./passages";
import { Recording } from "./recording";

const Markdown = lazy(() => import("./markdown").then(({ Markdown }) => ({ default: Markdown })));

interface Props {
  course: string;
  lesson: string;
  /** The cited place, to scroll to and mark. */
  at: Place | null;
}

export function LessonReader({ course, lesson, at }: Props) {
  const path = { params: { path: { id: lesson } } };
  const content = useQuery({
    queryKey: ["lesson", lesson],
    queryFn: () => take(api.GET("/api/v1/content/{id}", path)),
  });
  const attributes = content.data?.data.attributes;
  const kind = attributes?.document?.kind;
  const source = useQuery({
    queryKey: ["source", lesson],
    queryFn: async () => (await raw(`/api/v1/content/${lesson}/source`)).text(),
    enabled: kind === "markdown",
  });
  useEffect(() => {
    document.title = `${attributes?.title ?? "Lesson"} – Lyceum`;
  }, [attributes?.title]);
  const failed = content.error ?? source.error;
  return (
    <article className="reader">
      <nav aria-label="Place">
        <Link to={`/courses/${course}`}>← All lessons</Link>
      </nav>
      {failed ? (
        <Problem
          title="This lesson cannot be shown"
          error={failed}
          retry={() => void (content.error ? content.refetch() : source.refetch())}
        />
      ) : null}
      {!failed && (!attributes || source.isLoading) ? <Waiting what="the lesson" /> : null}
      {attributes && kind !== "markdown" ? <h1>{attributes.title}</h1> : null}
      {attributes && kind === "markdown" && source.data !== undefined ? (
        <Suspense fallback={<Waiting what="the text" />}>
          <Markdown text={source.data} at={at} />
        </Suspense>
      ) : null}
      {attributes?.video ? <Recording course={course} lesson={lesson} video={attributes.video} at={at} /> : null}
      {attributes && kind === "scorm" ? (
        <p className="package-open">
          {/* A page of its own: only that one may frame the origin of packages. */}
          <Link className="button main" to={`/courses/${course}/lessons/${lesson}/package`} reloadDocument>
            Open the package
          </Link>{" "}
          <span className="quiet">It keeps your place and tells your score. Below is what its pages say.</span>
        </p>
      ) : null}
      {attributes && kind !== "markdown" && !attributes.video ? (
        <Passages passages={attributes.passages} kind={kind} lesson={lesson} at={at} />
      ) : null}
    </article>
  );
}
