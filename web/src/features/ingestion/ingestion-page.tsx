/** The ingestions of a course, the running ones with their stages as they go. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useId, type FormEvent } from "react";
import { Link, useParams } from "react-router";
import { api, take, type Schemas } from "../../api/client";
import { stream } from "../../api/events";
import { Problem, Waiting } from "../../ui/state";

type Ingestion = Schemas["IngestionAttributes"];
const STAGES = ["fetch", "chunk", "publish", "embed", "index"];
const SAYS: Record<string, string> = {
  running: "Running",
  succeeded: "Done",
  partial: "Done in part",
  failed: "Failed",
};

export function IngestionPage() {
  const { course = "" } = useParams();
  const queries = useQueryClient();
  const id = useId();
  const key = ["ingestions", course];
  const list = useQuery({
    queryKey: key,
    queryFn: () => take(api.GET("/api/v1/ingestions", { params: { query: { course } } })),
  });
  const start = useMutation({
    mutationFn: (url: string) =>
      take(api.POST("/api/v1/ingestions", { body: { courseId: course, kind: "git", url } })),
    onSettled: () => queries.invalidateQueries({ queryKey: key }),
  });
  useEffect(() => {
    document.title = "Content – Lyceum";
  }, []);
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    start.mutate(String(new FormData(event.currentTarget).get("url") ?? "").trim());
  };
  const all = list.data?.data ?? [];
  return (
    <div className="page">
      <p>
        <Link to={`/courses/${course}`}>← The course</Link>
      </p>
      <h1>Content and its ingestion</h1>
      <form className="row" onSubmit={submit}>
        <label htmlFor={`${id}-url`}>Git repository with the course’s Markdown (https address)</label>
        <input id={`${id}-url`} name="url" type="url" required placeholder="https://github.com/…" />
        <button type="submit" className="main" disabled={start.isPending}>
          Ingest
        </button>
      </form>
      {start.isError ? <Problem title="The ingestion did not start" error={start.error} /> : null}
      {list.isPending ? <Waiting what="ingestions" /> : null}
      {list.isError ? (
        <Problem title="The ingestions cannot be shown" error={list.error} retry={() => void list.refetch()} />
      ) : null}
      {list.isSuccess && all.length === 0 ? (
        <p className="empty">Nothing was ingested into this course yet. Name a repository above to begin.</p>
      ) : null}
      <ul className="ingestions">
        {all.map((one) => (
          <Run key={one.id} id={one.id} first={one.attributes} onEnd={() => void list.refetch()} />
        ))}
      </ul>
    </div>
  );
}

interface RunProps {
  id: string;
  first: Ingestion;
  onEnd: () => void;
}

function Run({ id, first, onEnd }: RunProps) {
  const queries = useQueryClient();
  const live = useQuery<Ingestion>({ queryKey: ["ingestion", id], queryFn: () => first, initialData: first });
  const running = first.state === "running";
  useEffect(() => {
    if (!running) return;
    const stop = new AbortController();
    const follow = async () => {
      for await (const { name, data } of stream(`/api/v1/progress/stream?ingestion=${id}`, { signal: stop.signal })) {
        if (name !== "INITIAL" && name !== "progress") continue;
        const { attributes } = JSON.parse(data) as { attributes: Ingestion };
        queries.setQueryData(["ingestion", id], attributes);
        if (attributes.state !== "running") onEnd();
      }
    };
    // A stream that broke is replaced by the list's own state.
    follow().catch(() => stop.signal.aborted || onEnd());
    return () => stop.abort();
  }, [id, running]);
  const now = running ? live.data : first;
  const at = now.state === "succeeded" || now.state === "partial" ? STAGES.length : STAGES.indexOf(now.stage);
  const error = now.error as { code?: string; message?: string } | null | undefined;
  return (
    <li className={now.state}>
      <p>
        <strong>{SAYS[now.state] ?? now.state}</strong>
        {now.state === "running"
          ? ` – ${now.stage}, ${now.done} of ${now.total}`
          : ` – ${now.lessons} lessons, ${now.chunks} passages`}
      </p>
      <ol className="stages" aria-label="Stages">
        {STAGES.map((stage, index) => (
          <li key={stage} className={index < at ? "done" : ""} aria-current={index === at ? "step" : undefined}>
            {stage}
            <span className="hidden">{index < at ? ", done" : ""}</span>
          </li>
        ))}
      </ol>
      {error?.message ? (
        <p className="problem">
          {error.code}: {error.message}
        </p>
      ) : null}
      {now.warnings.length > 0 ? <p className="notice">{now.warnings.length} warnings; the content was kept</p> : null}
    </li>
  );
}
