/** Grading in a course: the queue, and the bench for one text at a time, by keyboard or buttons. */
import { useQuery } from "@tanstack/react-query";
import { useRef, useState } from "react";
import { Link, useParams, useSearchParams } from "react-router";
import { api, take } from "../../api/client";
import { useKeys } from "../../ui/keys";
import { KeysDialog } from "../../ui/keys-dialog";
import { Problem, Waiting } from "../../ui/state";
import { useTitle } from "../../ui/title";
import { BenchView } from "./bench";
import type { Draft } from "./draft";
import { Queue, type Queued } from "./queue";

/** As many as the server lists. */
const MOST = 500;

const FILTERS = {
  open: { name: "To do", holds: ({ attributes: one }: Queued) => one.state !== "released" || !!one.appealDueAt },
  appeals: { name: "Appeals", holds: ({ attributes: one }: Queued) => !!one.appealDueAt },
  waiting: { name: "Waiting", holds: ({ attributes: one }: Queued) => one.state === "waiting" },
  graded: { name: "Graded, not released", holds: ({ attributes: one }: Queued) => one.state === "graded" },
  released: { name: "Released", holds: ({ attributes: one }: Queued) => one.state === "released" },
};
type Filter = keyof typeof FILTERS;
const NAMES = Object.keys(FILTERS) as Filter[];

const NOTHING: Record<Filter, string> = {
  open: "Nothing waits for you. Essays and short answers that learners hand in appear here.",
  appeals: "No appeal is open.",
  waiting: "No text waits for a grade.",
  graded: "No grade waits to be released.",
  released: "No grade was released yet.",
};

const KEYS: [string, string][] = [
  ["j", "the next text"],
  ["k", "the one before"],
];

export function GradingPage() {
  const { course = "" } = useParams();
  const [search, setSearch] = useSearchParams();
  const opened = search.get("submission");
  const filter = NAMES.find((one) => one === search.get("state")) ?? "open";
  useTitle("Grading");
  const session = useQuery({ queryKey: ["session"], queryFn: () => take(api.GET("/api/v1/auth/session")) });
  const list = useQuery({
    queryKey: ["grading", course],
    queryFn: () => take(api.GET("/api/v1/courses/{id}/grading", { params: { path: { id: course } } })),
  });
  const all = (list.data?.data ?? []) as unknown as Queued[];
  const shown = all.filter(FILTERS[filter].holds);
  // The order stays while somebody works through it, also when a grade moves a text to another list.
  const order = useRef<{ of: string; ids: string[] }>({ of: "", ids: [] });
  const drafts = useRef(new Map<string, Draft>());
  if (!opened) order.current = { of: "", ids: [] };
  else if (order.current.of !== filter && list.data) {
    const from = shown.some(({ id }) => id === opened) ? shown : all;
    order.current = { of: filter, ids: from.map(({ id }) => id) };
  }
  const address = (id: string) => `?${new URLSearchParams({ state: filter, submission: id }).toString()}`;
  return (
    <div className="page wide-page">
      <p>
        {opened ? (
          <Link to={`?state=${filter}`}>← The queue</Link>
        ) : (
          <Link to={`/courses/${course}`}>← The course</Link>
        )}
      </p>
      <h1>Grading</h1>
      {opened ? (
        <BenchView
          key={opened}
          id={opened}
          course={course}
          me={session.data?.data.id ?? ""}
          may={session.data?.data.attributes.permissions ?? []}
          order={order.current.ids}
          drafts={drafts.current}
          open={(id) => setSearch({ state: filter, submission: id }, { replace: true })}
        />
      ) : list.isError ? (
        <Problem title="The queue cannot be shown" error={list.error} retry={() => void list.refetch()} />
      ) : (
        <>
          <p className="lead">
            Essays and short answers that a person has to read. Learners are not named here. A proposal is never a
            grade: you set it, and you release it.
          </p>
          <nav className="tabs" aria-label="Texts by state">
            {NAMES.map((one) => (
              <button
                key={one}
                type="button"
                aria-pressed={one === filter}
                onClick={() => setSearch({ state: one }, { replace: true })}
              >
                {FILTERS[one].name}{" "}
                {list.data ? <span className="count">{all.filter(FILTERS[one].holds).length}</span> : null}
              </button>
            ))}
          </nav>
          {list.isPending ? <Waiting what="the queue" /> : <QueueDesk filter={filter} all={shown} address={address} />}
          {all.length >= MOST ? <p className="notice">Only {MOST} texts are listed here.</p> : null}
        </>
      )}
    </div>
  );
}

function QueueDesk({ filter, all, address }: { filter: Filter; all: Queued[]; address: (id: string) => string }) {
  const desk = useRef<HTMLDivElement>(null);
  const help = useRef<HTMLDialogElement>(null);
  const [at, setAt] = useState(-1);
  const go = (by: number) => {
    const links = [...(desk.current?.querySelectorAll<HTMLElement>(".queue a") ?? [])];
    const now = links.indexOf(document.activeElement as HTMLElement);
    const next = Math.max(0, Math.min(links.length - 1, (now >= 0 ? now : at) + by));
    setAt(next);
    links[next]?.focus();
  };
  const [on, turn] = useKeys({ j: () => go(1), k: () => go(-1), "?": () => help.current?.showModal() });
  return (
    <div ref={desk}>
      {all.length === 0 ? (
        <p className="empty">{NOTHING[filter]}</p>
      ) : (
        <>
          <p className="queue-help">
            <span className="quiet">
              Appeals come first, then what has flags or was not judged, then what is least sure.
            </span>
            <button type="button" className="quiet" onClick={() => help.current?.showModal()}>
              Keys <kbd>?</kbd>
            </button>
          </p>
          <Queue all={all} address={address} />
        </>
      )}
      <KeysDialog box={help} keys={[...KEYS, ["Enter", "open it"], ["?", "show these keys"]]} on={on} turn={turn} />
    </div>
  );
}
