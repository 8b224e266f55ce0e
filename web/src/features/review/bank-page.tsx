/** The question bank of a course: one question at a time, by keyboard or buttons, until the drafts are gone. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { Link, useParams, useSearchParams } from "react-router";
import { api, Refused, take } from "../../api/client";
import { useKeys } from "../../ui/keys";
import { KeysDialog } from "../../ui/keys-dialog";
import { plural } from "../../ui/plural";
import { Problem, Waiting } from "../../ui/state";
import { useTitle } from "../../ui/title";
import { Words } from "../../ui/words";
import { STATE_NAMES, STATES, type Draft, type Question, type State } from "./bank";
import { GenerateForm } from "./generate-form";
import { QuestionCard } from "./question-card";
import { QuestionEditor } from "./question-editor";
import { QuizMaker, Quizzes } from "./quizzes";

const MOST_PAGES = 10;

/** Every question of the bank in that state. */
async function bank(course: string, state: State): Promise<Question[]> {
  const all: Question[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const query = { state, limit: "200", ...(cursor ? { cursor } : {}) };
    const answer = await take(
      api.GET("/api/v1/courses/{id}/questions", { params: { path: { id: course }, query } }),
    );
    for (const { id, attributes } of answer.data) {
      const { state, version, key, question } = attributes;
      all.push({ id, state, version, key, draft: question as unknown as Draft });
    }
    const pages = answer.meta.pagination as { cursor?: { next?: string | null } } | undefined;
    cursor = pages?.cursor?.next ?? undefined;
    if (!cursor) break;
  }
  return all;
}

const KEYS: [string, string][] = [
  ["j", "the next question"],
  ["k", "the one before"],
  ["a", "approve it"],
  ["r", "reject it: it is retired and asked no more"],
  ["e", "change its words"],
  ["?", "show these keys"],
];

export function BankPage() {
  const { course = "" } = useParams();
  const [search, setSearch] = useSearchParams();
  const wanted = search.get("state");
  const state: State = STATES.find((one) => one === wanted) ?? "draft";
  useTitle("Questions and quizzes");
  const session = useQuery({ queryKey: ["session"], queryFn: () => take(api.GET("/api/v1/auth/session")) });
  const lists = {
    draft: useBank(course, "draft"),
    reviewed: useBank(course, "reviewed"),
    live: useBank(course, "live"),
    retired: useBank(course, "retired"),
  };
  const list = lists[state];
  const approved = lists.reviewed.data ?? [];
  const may = session.data?.data.attributes.permissions ?? [];
  const making = useRef<HTMLDetailsElement>(null);
  const queries = useQueryClient();
  const show = (next: State) => setSearch({ state: next }, { replace: true });
  return (
    <div className="page wide-page">
      <p>
        <Link to={`/courses/${course}`}>← The course</Link>
      </p>
      <h1>Questions and quizzes</h1>
      {list.isError ? (
        <Problem title="The questions cannot be shown" error={list.error} retry={() => void list.refetch()} />
      ) : (
        <>
          {may.includes("question.generate") && lists.draft.data && lists.reviewed.data ? (
            <Drafting
              course={course}
              unfolded={lists.draft.data.length + lists.reviewed.data.length === 0}
              onMade={() => show("draft")}
            />
          ) : null}
          <h2 className="hidden">The bank</h2>
          <nav className="tabs" aria-label="Questions by state">
            {STATES.map((one) => (
              <button key={one} type="button" aria-pressed={one === state} onClick={() => show(one)}>
                {STATE_NAMES[one]} {lists[one].data ? <span className="count">{lists[one].data.length}</span> : null}
              </button>
            ))}
          </nav>
          {list.isPending ? <Waiting what="the questions" /> : null}
          {list.data ? (
            <Desk key={state} course={course} state={state} all={list.data} mayEdit={may.includes("question.edit")} />
          ) : null}
          {may.includes("assessment.publish") ? (
            <>
              <h2>Quizzes</h2>
              <Quizzes course={course} />
              <details className="panel" ref={making}>
                <summary>Make a quiz from approved questions</summary>
                <QuizMaker
                  course={course}
                  approved={approved}
                  onMade={() => {
                    if (making.current) making.current.open = false;
                    void queries.invalidateQueries({ queryKey: ["quizzes", course] });
                  }}
                />
              </details>
            </>
          ) : null}
        </>
      )}
    </div>
  );
}

/** Unfolded for an empty bank; from then on as its reader wants it. */
function Drafting({ course, unfolded, onMade }: { course: string; unfolded: boolean; onMade: () => void }) {
  const [first] = useState(unfolded);
  return (
    <details className="panel" open={first}>
      <summary>Draft questions from the course</summary>
      <GenerateForm course={course} onMade={onMade} />
    </details>
  );
}

function useBank(course: string, state: State) {
  return useQuery({ queryKey: ["bank", course, state], queryFn: () => bank(course, state) });
}

interface DeskProps {
  course: string;
  state: State;
  all: Question[];
  mayEdit: boolean;
}

const NOTHING: Record<State, string> = {
  draft: "No draft waits for you. Have some drafted from the course above.",
  reviewed: "Nothing is approved yet. Go through the drafts first.",
  live: "No question is in use. Questions go live when their quiz is published.",
  retired: "No question was retired.",
};

function Desk({ course, state, all, mayEdit }: DeskProps) {
  const queries = useQueryClient();
  const card = useRef<HTMLElement>(null);
  const help = useRef<HTMLDialogElement>(null);
  const reject = useRef<HTMLDialogElement>(null);
  const rejectIt = useRef<HTMLButtonElement>(null);
  const [place, setPlace] = useState(0);
  const [editing, edit] = useState(false);
  const [said, say] = useState("");
  const at = Math.min(place, all.length - 1);
  const question = all[at];

  const settled = () => queries.invalidateQueries({ queryKey: ["bank", course] });
  const move = useMutation({
    mutationFn: ({ id, to }: { id: string; to: State }) =>
      take(api.POST("/api/v1/questions/{id}/state", { params: { path: { id } }, body: { state: to } })),
    onSuccess: async (_, { to }) => {
      const left = all.length - 1;
      const word = { reviewed: "Approved", retired: "Retired", draft: "A draft again", live: "In use" }[to];
      say(`${word}. ${left === 0 ? "None is left here." : `${left} left here.`}`);
      // At once: what is pressed while the list is read again keeps its focus.
      card.current?.focus();
      await settled();
    },
    onError: () => settled(),
  });
  const save = useMutation({
    mutationFn: ({ id, version, question }: { id: string; version: number; question: Draft }) =>
      take(
        api.PUT("/api/v1/questions/{id}", {
          params: { path: { id } },
          body: { version, question: question as unknown as Record<string, never> },
        }),
      ),
    onSuccess: async () => {
      edit(false);
      say("Saved as a draft.");
      card.current?.focus();
      await settled();
    },
    onError: (error) => (error instanceof Refused && error.status === 409 ? settled() : undefined),
  });

  const busy = move.isPending || save.isPending;
  const canApprove = mayEdit && state === "draft";
  const canReject = mayEdit && state !== "retired";
  const canEdit = mayEdit && (state === "draft" || state === "reviewed");
  const go = (by: number) => {
    if (editing || all.length === 0) return;
    setPlace(Math.max(0, Math.min(all.length - 1, at + by)));
    card.current?.focus();
  };
  const to = (next: State) => question && !busy && move.mutate({ id: question.id, to: next });
  const askToReject = () => {
    reject.current?.showModal();
    rejectIt.current?.focus();
  };
  const [keys, setKeys] = useKeys({
    j: () => go(1),
    k: () => go(-1),
    a: () => canApprove && !editing && to("reviewed"),
    r: () => canReject && !editing && !busy && question && askToReject(),
    e: () => canEdit && !busy && question && edit(true),
    "?": () => help.current?.showModal(),
  });
  useEffect(() => edit(false), [question?.id]);

  return (
    <>
      <p className="said" role="status">
        {said}
      </p>
      {!question ? <p className="empty">{NOTHING[state]}</p> : null}
      {question ? (
        <div className="desk">
          <section className="card" ref={card} tabIndex={-1} aria-label={`Question ${at + 1} of ${all.length}`}>
            <div className="desk-bar">
              <span>
                <b>{at + 1}</b> of {all.length}
              </span>
              <button type="button" onClick={() => go(-1)} disabled={at === 0 || editing}>
                Back <kbd>k</kbd>
              </button>
              <button type="button" onClick={() => go(1)} disabled={at >= all.length - 1 || editing}>
                Next <kbd>j</kbd>
              </button>
              <button type="button" className="quiet" onClick={() => help.current?.showModal()}>
                Keys <kbd>?</kbd>
              </button>
            </div>
            {move.isError ? <Problem title="The question stayed as it was" error={move.error} /> : null}
            {save.isError ? <Problem title="The change was not saved" error={save.error} /> : null}
            {editing ? (
              <QuestionEditor
                key={`${question.id}-${question.version}`}
                draft={question.draft}
                busy={save.isPending}
                onSave={(draft) => save.mutate({ id: question.id, version: question.version, question: draft })}
                onCancel={() => {
                  edit(false);
                  card.current?.focus();
                }}
              />
            ) : (
              <>
                <QuestionCard question={question} course={course} />
                {mayEdit ? (
                  <p className="actions">
                    {canApprove ? (
                      <button type="button" className="main" disabled={busy} onClick={() => to("reviewed")}>
                        Approve <kbd>a</kbd>
                      </button>
                    ) : null}
                    {canEdit ? (
                      <button type="button" disabled={busy} onClick={() => edit(true)}>
                        Edit <kbd>e</kbd>
                      </button>
                    ) : null}
                    {state === "reviewed" ? (
                      <button type="button" disabled={busy} onClick={() => to("draft")}>
                        Back to the drafts
                      </button>
                    ) : null}
                    {canReject ? (
                      <button type="button" disabled={busy} onClick={askToReject}>
                        {state === "draft" ? "Reject" : "Retire"} <kbd>r</kbd>
                      </button>
                    ) : null}
                  </p>
                ) : null}
              </>
            )}
          </section>
          <nav className="desk-list" aria-label="Questions of this list">
            <ol>
              {all.map(({ id, draft }, n) => (
                <li key={id}>
                  <button
                    type="button"
                    aria-current={n === at ? "true" : undefined}
                    disabled={editing}
                    onClick={() => {
                      setPlace(n);
                      card.current?.focus();
                    }}
                  >
                    <Words text={draft.stem} />
                    {draft.lint.length > 0 ? <small> ({plural(draft.lint.length, "thing")} to look at)</small> : null}
                  </button>
                </li>
              ))}
            </ol>
          </nav>
        </div>
      ) : null}
      <dialog ref={reject} aria-labelledby="reject">
        <h2 id="reject">{state === "draft" ? "Reject" : "Retire"} this question?</h2>
        <p>“{question?.draft.stem}”</p>
        <p>A retired question is asked no more and cannot be taken back. What was answered stays.</p>
        <p className="actions">
          <button type="button" onClick={() => reject.current?.close()}>
            Keep it
          </button>
          <button
            type="button"
            className="main"
            ref={rejectIt}
            onClick={() => {
              reject.current?.close();
              to("retired");
            }}
          >
            {state === "draft" ? "Reject" : "Retire"} it
          </button>
        </p>
      </dialog>
      <KeysDialog box={help} keys={KEYS} on={keys} turn={setKeys} />
    </>
  );
}
