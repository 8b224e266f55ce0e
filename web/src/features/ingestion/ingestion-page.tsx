/** Content of a course: bringing it in, its runs as they go, its sources and when they are fetched again. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useId, useState, type FormEvent } from "react";
import { Link, useParams } from "react-router";
import { api, take, type Schemas } from "../../api/client";
import { Problem, Waiting } from "../../ui/state";
import { useTitle } from "../../ui/title";
import { bytes, duration } from "./figures";
import { Run } from "./run";
import { Sources } from "./sources";

type Asked = Schemas["NewIngestion"];
type Plan = Schemas["PlanAttributes"];

const KINDS: [string, string][] = [
  ["git", "Git repository"],
  ["web", "Web page"],
  ["site", "Web site"],
  ["youtube", "YouTube video, playlist or channel"],
];

export function IngestionPage() {
  const { course = "" } = useParams();
  const queries = useQueryClient();
  const key = ["ingestions", course];
  useTitle("Content");
  const list = useQuery({
    queryKey: key,
    queryFn: () => take(api.GET("/api/v1/ingestions", { params: { query: { course } } })),
  });
  const changed = () => {
    void queries.invalidateQueries({ queryKey: key });
    void queries.invalidateQueries({ queryKey: ["sources", course] });
  };
  const all = list.data?.data ?? [];
  return (
    <div className="page">
      <p>
        <Link to={`/courses/${course}`}>← The course</Link>
      </p>
      <h1>Content and its ingestion</h1>
      <NewRun course={course} onStart={changed} />
      <h2>Runs</h2>
      {list.isPending ? <Waiting what="ingestions" /> : null}
      {list.isError ? (
        <Problem title="The ingestions cannot be shown" error={list.error} retry={() => void list.refetch()} />
      ) : null}
      {list.isSuccess && all.length === 0 ? (
        <p className="empty">Nothing was ingested into this course yet. Name an address above to begin.</p>
      ) : null}
      <ul className="ingestions">
        {all.slice(0, 20).map((one) => (
          <Run key={one.id} id={one.id} first={one.attributes} onChange={changed} />
        ))}
      </ul>
      <Sources course={course} onChange={changed} />
    </div>
  );
}

function NewRun({ course, onStart }: { course: string; onStart: () => void }) {
  const id = useId();
  const [plan, setPlan] = useState<Plan | null>(null);
  const start = useMutation({
    mutationFn: (body: Asked) => take(api.POST("/api/v1/ingestions", { body })),
    onSuccess: () => setPlan(null),
    onSettled: onStart,
  });
  const look = useMutation({
    mutationFn: (body: Asked) => take(api.POST("/api/v1/ingestions/plan", { body })),
    onSuccess: (answer) => setPlan(answer.data.attributes),
  });
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const kind = String(form.get("kind"));
    const body = {
      courseId: course,
      kind: kind === "site" ? "web" : kind,
      url: String(form.get("url") ?? "").trim(),
      site: kind === "site",
    };
    const asked = (event.nativeEvent as SubmitEvent).submitter?.getAttribute("value");
    if (asked === "plan") look.mutate(body);
    else start.mutate(body);
  };
  const busy = start.isPending || look.isPending;
  return (
    <>
      <form className="row" onSubmit={submit}>
        <label htmlFor={`${id}-kind`}>What to bring in</label>
        <select id={`${id}-kind`} name="kind">
          {KINDS.map(([value, name]) => (
            <option key={value} value={value}>
              {name}
            </option>
          ))}
        </select>
        <label htmlFor={`${id}-url`}>Its https address</label>
        <input id={`${id}-url`} name="url" type="url" required placeholder="https://…" />
        <div className="actions">
          <button type="submit" className="main" disabled={busy}>
            Ingest
          </button>
          <button type="submit" value="plan" disabled={busy}>
            {look.isPending ? "Looking…" : "See what it would do"}
          </button>
        </div>
      </form>
      {start.isError ? <Problem title="The ingestion did not start" error={start.error} /> : null}
      {look.isError ? <Problem title="There is no plan" error={look.error} /> : null}
      {plan ? <Planned plan={plan} /> : null}
    </>
  );
}

function Planned({ plan }: { plan: Plan }) {
  const changes = plan.changes as Record<string, number | boolean>;
  const estimate = plan.estimate as unknown as { seconds: number; basis: string };
  const disk = plan.disk as unknown as { needed: number; free: number | null; enough: boolean };
  return (
    <section className="notice" role="status">
      <p>
        <strong>{plan.title}</strong>: {plan.documents} documents, {bytes(plan.bytes)}, about{" "}
        {Math.round(plan.passages)} passages. Nothing was written.
      </p>
      <p>
        {changes.nothing
          ? "Nothing has changed since the last run."
          : `${changes.new} new, ${changes.changed} changed, ${changes.unchanged} unchanged, ${changes.vanished} no longer there (their lessons would be hidden).`}
      </p>
      <p>
        About {duration(estimate.seconds)} ({estimate.basis}). Disk: about {bytes(disk.needed)} needed
        {disk.free === null ? "" : `, ${bytes(disk.free)} free`}
        {disk.enough ? "." : "; it does not fit: free space first."}
      </p>
      {plan.failures.length > 0 ? <p>{plan.failures.length} documents cannot be read.</p> : null}
    </section>
  );
}
