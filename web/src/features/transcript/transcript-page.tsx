/** Where those who teach correct a transcript: line by line, a word everywhere, or by a text that fits. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useRef, useState, type ReactNode } from "react";
import { Link, useParams } from "react-router";
import { api, Refused, take } from "../../api/client";
import { webVtt } from "../../api/cues";
import { Problem, Waiting } from "../../ui/state";
import { plural } from "../../ui/plural";
import { useTitle } from "../../ui/title";
import { AlignForm } from "./align-form";
import { LineRow } from "./line-row";
import { count, fault, joined, replaced, rows, split, type Cue, type Row } from "./lines";

/** Lines shown at a time: a lecture has thousands. */
const PAGE = 60;

interface Props {
  /** The player of the lesson, which tells how to send it to a second. */
  player: (lesson: string, seek: (seek: (time: number) => void) => void) => ReactNode;
}

export function TranscriptPage({ player }: Props) {
  const { course = "", lesson = "" } = useParams();
  const path = { params: { path: { id: lesson } } };
  const queries = useQueryClient();
  useTitle("Correct the transcript");
  const found = useQuery({
    queryKey: ["transcript", lesson, "edit"],
    queryFn: () => take(api.GET("/api/v1/content/{id}/transcript", path)),
    staleTime: Infinity,
    gcTime: 0,
  });
  const read = found.data?.data.attributes;
  const [all, setAll] = useState<Row[]>([]);
  const [base, setBase] = useState<Map<number, Row>>(new Map());
  const [page, setPage] = useState(0);
  const [find, setFind] = useState("");
  const [put, setPut] = useState("");
  const seek = useRef<(time: number) => void>(() => undefined);
  const begin = useCallback((cues: Cue[]) => {
    const fresh = rows(cues);
    setAll(fresh);
    setBase(new Map(fresh.map((row) => [row.key, row])));
  }, []);
  useEffect(() => {
    if (read) begin(read.cues);
  }, [read, begin]);
  const touched = (row: Row) => {
    const before = base.get(row.key);
    return !before || before.text !== row.text || before.start !== row.start || before.end !== row.end;
  };
  const changed = all.filter(touched).length + Math.max(0, base.size - all.filter(({ key }) => base.has(key)).length);
  const faults = useMemo(() => all.map((row, index) => fault(row, all[index - 1])), [all]);
  const faulty = faults.findIndex(Boolean);
  useEffect(() => {
    if (changed === 0) return;
    const ask = (event: BeforeUnloadEvent) => event.preventDefault();
    window.addEventListener("beforeunload", ask);
    return () => window.removeEventListener("beforeunload", ask);
  }, [changed]);
  const save = useMutation({
    mutationFn: () => {
      const cues = all.map(({ start, end, text }) => ({ start, end, text }));
      return take(api.PUT("/api/v1/content/{id}/transcript", { ...path, body: { version: read?.version ?? "", cues } }));
    },
    onSuccess: (saved) => {
      queries.setQueryData(["transcript", lesson, "edit"], saved);
      void queries.invalidateQueries({ queryKey: ["transcript", lesson], exact: true });
      void queries.invalidateQueries({ queryKey: ["lesson", lesson] });
    },
  });
  const conflict = save.error instanceof Refused && save.error.status === 409;
  const hits = count(all, find);
  const pages = Math.max(1, Math.ceil(all.length / PAGE));
  const edit = (key: number, change: Partial<Cue>) =>
    setAll((before) => before.map((row) => (row.key === key ? { ...row, ...change } : row)));
  return (
    <div className="page">
      <p>
        <Link to={`/courses/${course}/lessons/${lesson}`}>← The lesson</Link>
      </p>
      <h1>Correct the transcript</h1>
      {found.isLoading ? <Waiting what="the transcript" /> : null}
      {found.isError ? (
        <Problem title="The transcript cannot be shown" error={found.error} retry={() => void found.refetch()} />
      ) : null}
      {read && !read.editable ? <p className="empty">Your role does not allow to correct this transcript.</p> : null}
      {read?.editable ? (
        <>
          {player(lesson, (to) => {
            seek.current = to;
          })}
          {read.model ? (
            <p className="notice">
              Written by {read.model}
              {read.confidence != null ? `, sure of ${Math.round(read.confidence * 100)} % of its words` : ""}
              {read.rough ? "; good enough to search in, not to be read" : ""}.
            </p>
          ) : null}
          {read.notCarried.length > 0 ? (
            <section className="problem">
              <strong>Corrections without a place in the new captions</strong>
              <ul>
                {read.notCarried.map(({ before, after }, index) => (
                  <li key={index}>
                    <q>{before.map(({ text }) => text).join(" ")}</q> was corrected to{" "}
                    <q>{after.map(({ text }) => text).join(" ")}</q>
                  </li>
                ))}
              </ul>
              <p>Make them again where they belong; saving takes them off this list.</p>
            </section>
          ) : null}
          <form
            className="find"
            onSubmit={(event) => {
              event.preventDefault();
              setAll(replaced(all, find, put));
            }}
          >
            <label>
              Find
              <input value={find} onChange={(event) => setFind(event.currentTarget.value)} />
            </label>
            <label>
              Put in its place
              <input value={put} onChange={(event) => setPut(event.currentTarget.value)} />
            </label>
            <button type="submit" disabled={hits === 0}>
              Replace {plural(hits, "place")}
            </button>
            <button
              type="button"
              disabled={hits === 0}
              onClick={() => {
                const from = all.findIndex((row, index) => index >= (page + 1) * PAGE && row.text.includes(find));
                const at = from >= 0 ? from : all.findIndex(({ text }) => text.includes(find));
                setPage(Math.floor(at / PAGE));
              }}
            >
              Show next
            </button>
          </form>
          <AlignForm lesson={lesson} onUse={(cues) => setAll((before) => rows(cues).map((row) => ({ ...row, key: row.key + 1 + Math.max(0, ...before.map(({ key }) => key)) })))} />
          <h2>Lines</h2>
          <ol className="lines" start={page * PAGE + 1}>
            {all.slice(page * PAGE, (page + 1) * PAGE).map((row, index) => (
              <LineRow
                key={row.key}
                row={row}
                number={page * PAGE + index + 1}
                changed={touched(row)}
                fault={faults[page * PAGE + index] ?? null}
                last={page * PAGE + index + 1 === all.length}
                onEdit={edit}
                onPlay={(time) => seek.current(time)}
                onSplit={(at) => setAll(split(all, row.key, at))}
                onJoin={() => setAll(joined(all, row.key))}
                onRemove={() => setAll(all.filter(({ key }) => key !== row.key))}
              />
            ))}
          </ol>
          <nav className="actions" aria-label="Parts of the transcript">
            <button type="button" disabled={page === 0} onClick={() => setPage(page - 1)}>
              Lines before
            </button>
            <span>
              {page + 1} of {pages}
            </span>
            <button type="button" disabled={page + 1 >= pages} onClick={() => setPage(page + 1)}>
              Lines after
            </button>
          </nav>
          {save.isError && !conflict ? <Problem title="The transcript was not saved" error={save.error} /> : null}
          {conflict ? (
            <div className="problem" role="alert">
              <strong>Somebody else corrected this transcript meanwhile</strong>
              <p>Nothing was saved. Take your lines as a file first, if you need them; then load the newest version.</p>
              <p className="actions">
                <button type="button" onClick={() => download(all)}>
                  Take my lines as a file
                </button>
                <button
                  type="button"
                  onClick={() => {
                    save.reset();
                    void found.refetch();
                  }}
                >
                  Load the newest version
                </button>
              </p>
            </div>
          ) : null}
          <p className="actions" role="status">
            <button
              type="button"
              className="main"
              disabled={changed === 0 || faulty >= 0 || save.isPending}
              onClick={() => save.mutate()}
            >
              Save {plural(changed, "changed line")}
            </button>
            {faulty >= 0 ? (
              <span>
                Line {faulty + 1} {faults[faulty]}.
              </span>
            ) : null}
            {save.isSuccess && changed === 0 ? <span>Saved. Search and tutor learn of it in a moment.</span> : null}
          </p>
        </>
      ) : null}
    </div>
  );
}

/** The lines as a file of captions. */
function download(all: Row[]) {
  const url = URL.createObjectURL(new Blob([webVtt(all)], { type: "text/vtt" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = "transcript.vtt";
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
