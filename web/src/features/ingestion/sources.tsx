/** Where a course's content comes from: fetched again by hand or by schedule, or taken out. */
import { useMutation, useQuery } from "@tanstack/react-query";
import { useId, useState, type FormEvent } from "react";
import { api, take, type Schemas } from "../../api/client";
import { moment } from "../../ui/moment";
import { plural } from "../../ui/plural";
import { Problem, Waiting } from "../../ui/state";
import { bytes } from "./figures";

type Source = Schemas["SourceAttributes"];
type Last = { state: string; at: string; error?: { code: string; message: string } | null };
type Gone = { lesson: string; title: string; reason: string };

const TIMES: [string, string][] = [
  ["", "Only by hand"],
  ["0 3 * * *", "Each day at 3:00 UTC"],
  ["0 3 * * mon", "Mondays at 3:00 UTC"],
  ["0 3 1 * *", "The first of each month at 3:00 UTC"],
];

export function Sources({ course, onChange }: { course: string; onChange: () => void }) {
  const list = useQuery({
    queryKey: ["sources", course],
    queryFn: () => take(api.GET("/api/v1/sources", { params: { query: { course } } })),
  });
  const all = list.data?.data ?? [];
  return (
    <section>
      <h2>Sources</h2>
      {list.isPending ? <Waiting what="sources" /> : null}
      {list.isError ? (
        <Problem title="The sources cannot be shown" error={list.error} retry={() => void list.refetch()} />
      ) : null}
      {list.isSuccess && all.length === 0 ? <p className="empty">The course has no source.</p> : null}
      <ul className="ingestions">
        {all.map((one) => (
          <SourceCard key={one.id} id={one.id} source={one.attributes} onChange={onChange} />
        ))}
      </ul>
    </section>
  );
}

function SourceCard({ id, source, onChange }: { id: string; source: Source; onChange: () => void }) {
  const label = useId();
  const [removing, setRemoving] = useState(false);
  const path = { params: { path: { id } } };
  const refresh = useMutation({
    mutationFn: () => take(api.POST("/api/v1/sources/{id}/refresh", path)),
    onSettled: onChange,
  });
  const schedule = useMutation({
    mutationFn: (cron: string | null) =>
      take(api.PUT("/api/v1/sources/{id}/schedule", { ...path, body: { cron } })),
    onSettled: onChange,
  });
  const remove = useMutation({
    mutationFn: () => take(api.DELETE("/api/v1/sources/{id}", path)),
    onSettled: onChange,
  });
  const whole = useQuery({
    queryKey: ["source", id, source.last],
    queryFn: () => take(api.GET("/api/v1/sources/{id}", path)),
  });
  const gone = (whole.data?.data.attributes.vanished ?? []) as Gone[];
  const last = source.last as Last | null | undefined;
  const licences = (source.provenance as { licences?: string[] }).licences ?? [];
  const failed = refresh.error ?? schedule.error ?? remove.error;
  const times = TIMES.some(([cron]) => cron === (source.cron ?? "")) ? TIMES : [...TIMES, [source.cron ?? "", `${source.cron} UTC`] as [string, string]];
  const choose = (event: FormEvent<HTMLSelectElement>) => schedule.mutate(event.currentTarget.value || null);
  const busy = refresh.isPending || schedule.isPending || remove.isPending;
  return (
    <li>
      <p>
        <strong>{source.title}</strong> <small>{source.kind}</small>
        <br />
        <span className="origin">{source.origin}</span>
      </p>
      <p>
        {plural(source.lessons, "lesson")}, {plural(source.passages, "passage")}, {bytes(source.bytes)}
        {source.unread > 0 ? `; ${plural(source.unread, "document")} could not be read` : ""}
        {last ? `. Last run: ${last.state}, ${moment(last.at)}` : ""}
        {licences.length > 0 ? `. Licence: ${licences.join(", ")}` : ""}
      </p>
      {gone.length > 0 ? (
        <details>
          <summary>{plural(gone.length, "lesson")} hidden because the document vanished</summary>
          <ul>
            {gone.map(({ lesson, title, reason }) => (
              <li key={lesson}>
                {title}: {reason}
              </li>
            ))}
          </ul>
        </details>
      ) : null}
      <div className="actions">
        <label htmlFor={`${label}-when`}>Fetched again</label>
        <select id={`${label}-when`} value={source.cron ?? ""} disabled={busy} onChange={choose}>
          {times.map(([cron, name]) => (
            <option key={cron} value={cron}>
              {name}
            </option>
          ))}
        </select>
        <button type="button" disabled={busy} onClick={() => refresh.mutate()}>
          Fetch again now
        </button>
        {removing ? (
          <>
            <button type="button" className="main" disabled={busy} onClick={() => remove.mutate()}>
              Yes, remove {plural(source.lessons, "lesson")}
            </button>
            <button type="button" onClick={() => setRemoving(false)}>
              Keep it
            </button>
          </>
        ) : (
          <button type="button" disabled={busy} onClick={() => setRemoving(true)}>
            Remove…
          </button>
        )}
      </div>
      {source.nextAt ? <p>Next run: {moment(source.nextAt)}.</p> : null}
      {source.scheduleNote ? <p className="notice">{source.scheduleNote}</p> : null}
      {failed ? <Problem title="That was not done" error={failed} /> : null}
    </li>
  );
}
