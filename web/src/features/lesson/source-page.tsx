/** Finds the lesson that shows a place of the source, and goes there. */
import { useQuery } from "@tanstack/react-query";
import { Link, Navigate, useParams, useSearchParams } from "react-router";
import { api, take } from "../../api/client";
import { overlap, parsed } from "../../api/place";
import { Problem, Waiting } from "../../ui/state";
import { useTitle } from "../../ui/title";

export function SourcePage() {
  const { course = "" } = useParams();
  const [search] = useSearchParams();
  const [path, at, quote] = [search.get("path") ?? "", search.get("at") ?? "", search.get("quote") ?? ""];
  useTitle("Source");
  const found = useQuery({
    queryKey: ["source", course, path, at, quote],
    queryFn: () => {
      const query = { q: quote || path, limit: "50" };
      return take(api.GET("/api/v1/courses/{id}/search", { params: { path: { id: course }, query } }));
    },
    enabled: course !== "" && (quote || path) !== "",
  });
  const place = parsed(at);
  const same = (found.data?.data ?? []).filter((hit) => hit.attributes.sourcePath === path);
  const best = same.find((hit) => place && overlap(place, hit.attributes.locator)) ?? same[0];
  const lesson = (best?.relationships as { content?: { data?: { id?: string } } } | undefined)?.content?.data?.id;
  if (lesson) return <Navigate to={`/courses/${course}/lessons/${lesson}?at=${at}`} replace />;
  return (
    <div className="page">
      <p>
        <Link to={`/courses/${course}`}>← The course</Link>
      </p>
      <h1>The place in the course</h1>
      {found.isLoading ? <Waiting what="the place" /> : null}
      {found.isError ? (
        <Problem title="The place cannot be shown" error={found.error} retry={() => void found.refetch()} />
      ) : null}
      {!found.isLoading && !found.isError ? (
        <>
          <p className="empty">No lesson of this course shows this place any more. The words that stood there:</p>
          <blockquote>{quote}</blockquote>
        </>
      ) : null}
    </div>
  );
}
