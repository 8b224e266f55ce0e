/** One run: its stages, how far it is, what is left, what it waits for, and what can be done with it. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useId, useState } from "react";
import { api, take, type Schemas } from "../../api/client";
import { stream } from "../../api/events";
import { moment } from "../../ui/moment";
import { plural } from "../../ui/plural";
import { Problem } from "../../ui/state";
import { duration } from "./figures";

type Ingestion = Schemas["IngestionAttributes"];
type Said = { code?: string; message?: string; until?: string | null; path?: string };
type StageReport = { name: string; outcome: string; seconds: number };

const STAGES = ["fetch", "chunk", "publish", "embed", "index"];
const SAYS: Record<string, string> = {
  running: "Running",
  paused: "Paused",
  succeeded: "Done",
  partial: "Done in part",
  failed: "Failed",
  cancelled: "Cancelled",
};
const ACTIONS: Record<string, string> = { pause: "Pause", resume: "Resume", retry: "Retry what failed", cancel: "Cancel" };

interface RunProps {
  id: string;
  first: Ingestion;
  onChange: () => void;
}

const live = (state: string) => state === "running" || state === "paused";

export function Run({ id, first, onChange }: RunProps) {
  const queries = useQueryClient();
  const key = ["ingestion", id];
  const known = useQuery<Ingestion>({ queryKey: key, queryFn: () => first, initialData: first });
  const follows = live(first.state);
  useEffect(() => {
    if (!follows) return;
    const stop = new AbortController();
    const follow = async () => {
      for await (const { name, data } of stream(`/api/v1/progress/stream?ingestion=${id}`, { signal: stop.signal })) {
        if (name !== "INITIAL" && name !== "progress") continue;
        const { attributes } = JSON.parse(data) as { attributes: Ingestion };
        queries.setQueryData(key, attributes);
        if (!live(attributes.state)) onChange();
      }
    };
    // A stream that broke is replaced by the list's own state.
    follow().catch(() => stop.signal.aborted || onChange());
    return () => stop.abort();
  }, [id, follows]);
  const act = useMutation({
    mutationFn: (action: string) => {
      const params = { params: { path: { id } } };
      if (action === "pause") return take(api.POST("/api/v1/ingestions/{id}/pause", params));
      if (action === "resume") return take(api.POST("/api/v1/ingestions/{id}/resume", params));
      if (action === "retry") return take(api.POST("/api/v1/ingestions/{id}/retry", params));
      return take(api.POST("/api/v1/ingestions/{id}/cancel", params));
    },
    onSettled: onChange,
  });
  const now = follows ? known.data : first;
  const error = now.error as Said | null | undefined;
  const waiting = now.waiting as Said | null | undefined;
  return (
    <li className={now.state}>
      <p>
        <strong>{SAYS[now.state] ?? now.state}</strong>
        {live(now.state)
          ? ` – ${now.stage}, ${now.done} of ${now.total}`
          : ` – ${plural(now.lessons, "lesson")}, ${plural(now.chunks, "passage")}`}
        {now.leftSeconds != null && now.state === "running" ? (
          <span title={now.leftBasis ?? ""}>, about {duration(now.leftSeconds)} left</span>
        ) : null}
      </p>
      {live(now.state) && now.total > 0 ? (
        <progress aria-label={`Stage ${now.stage}`} value={now.done} max={now.total} />
      ) : null}
      <Stages now={now} />
      {waiting?.message ? (
        <p className="notice">
          {waiting.code}: {waiting.message}
          {waiting.until ? ` Tried again ${moment(waiting.until)}.` : ""}
        </p>
      ) : null}
      {error?.message ? (
        <p className="problem">
          {error.code}: {error.message}
        </p>
      ) : null}
      {now.warnings.length > 0 ? <Details id={id} now={now} /> : null}
      {now.actions.length > 0 ? (
        <div className="actions">
          {now.actions.map((action) => (
            <button key={action} type="button" disabled={act.isPending} onClick={() => act.mutate(action)}>
              {ACTIONS[action] ?? action}
            </button>
          ))}
        </div>
      ) : null}
      {act.isError ? <Problem title="That was not done" error={act.error} /> : null}
      {act.isSuccess ? (
        <p className="saved" role="status">
          {act.data.data.attributes.message}
        </p>
      ) : null}
    </li>
  );
}

function Stages({ now }: { now: Ingestion }) {
  const reports = now.stages as unknown as StageReport[];
  const shown = reports.some(({ name }) => name === "transcode") || now.stage === "transcode" ? [...STAGES, "transcode"] : STAGES;
  const over = now.state === "succeeded" || now.state === "partial";
  const at = over ? shown.length : shown.indexOf(now.stage);
  return (
    <ol className="stages" aria-label="Stages">
      {shown.map((stage, index) => {
        const report = reports.find(({ name }) => name === stage);
        const done = index < at;
        return (
          <li key={stage} className={done ? "done" : ""} aria-current={index === at ? "step" : undefined}>
            {stage}
            {report && report.outcome !== "skipped" ? ` ${duration(report.seconds)}` : ""}
            {report?.outcome === "skipped" ? " –" : ""}
            <span className="hidden">{done ? `, ${report?.outcome ?? "done"}` : ""}</span>
          </li>
        );
      })}
    </ol>
  );
}

/** Warnings, and the documents that could not be read, when somebody wants to see them. */
function Details({ id, now }: { id: string; now: Ingestion }) {
  const [open, setOpen] = useState(false);
  const label = useId();
  const whole = useQuery({
    queryKey: ["ingestion-whole", id],
    enabled: open,
    queryFn: () => take(api.GET("/api/v1/ingestions/{id}", { params: { path: { id } } })),
  });
  const failed = (whole.data?.data.attributes.failed ?? []) as Said[];
  return (
    <details open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary id={label}>{plural(now.warnings.length, "warning")}; the content was kept</summary>
      <ul aria-labelledby={label}>
        {failed.map(({ path, code, message }) => (
          <li key={path}>
            {path}: {code}: {message}
          </li>
        ))}
        {(now.warnings as Said[]).map(({ code, message }, index) => (
          <li key={index}>
            {code}: {message}
          </li>
        ))}
      </ul>
    </details>
  );
}
