/** The bench: one text beside its rubric, what is proposed, and the grade that a person sets and releases. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useId, useRef, useState } from "react";
import { api, take } from "../../api/client";
import { percent, related } from "../../api/grading";
import { EvidenceText } from "../../ui/evidence-text";
import { useKeys } from "../../ui/keys";
import { KeysDialog } from "../../ui/keys-dialog";
import { moment } from "../../ui/moment";
import { plural, points } from "../../ui/plural";
import { Problem, Waiting } from "../../ui/state";
import { Words } from "../../ui/words";
import { Agreement } from "./agreement";
import { Appeals } from "./appeals";
import { CriterionField } from "./criterion-field";
import { begin, changed, differsFrom, full, pointsOf, standing, takenOver, type Bench, type Draft } from "./draft";
import { History } from "./history";
import { flagged, origin, STATE_NAMES } from "./words";

const KEYS: [string, string][] = [
  ["j", "the next text"],
  ["k", "the one before"],
  ["1 … 9", "choose that level of the criterion, and go to the next criterion"],
  ["c", "the next criterion, its passages are marked"],
  ["p", "have a grade proposed"],
  ["t", "take over the proposal"],
  ["s", "set the grade"],
  ["l", "release the grade to the learner"],
  ["?", "show these keys"],
];

interface Props {
  id: string;
  course: string;
  me: string;
  may: string[];
  /** The texts to go through. */
  order: string[];
  /** What was chosen and not yet set, kept while the page is open. */
  drafts: Map<string, Draft>;
  open: (id: string) => void;
}

export function BenchView(props: Props) {
  const { id } = props;
  const found = useQuery({
    queryKey: ["bench", id],
    queryFn: () => take(api.GET("/api/v1/submissions/{id}/grading", { params: { path: { id } } })),
  });
  if (found.isPending) return <Waiting what="the text" />;
  if (found.isError) {
    return <Problem title="This text cannot be shown" error={found.error} retry={() => void found.refetch()} />;
  }
  const bench = found.data.data.attributes as unknown as Bench;
  return <Desk {...props} bench={bench} question={related(found.data.data, "question")} />;
}

interface DeskProps extends Props {
  bench: Bench;
  question: string;
}

function Desk({ id, course, me, may, order, drafts, open, bench, question }: DeskProps) {
  const queries = useQueryClient();
  const card = useRef<HTMLElement>(null);
  const help = useRef<HTMLDialogElement>(null);
  const confirm = useRef<HTMLDialogElement>(null);
  const confirmIt = useRef<HTMLButtonElement>(null);
  const reasonField = useRef<HTMLTextAreaElement>(null);
  const fields = useRef(new Map<string, HTMLFieldSetElement>());
  const ids = useId();
  const [chosen, choose] = useState<Draft | null>(drafts.get(id) ?? null);
  const [active, look] = useState<string | null>(null);
  const [said, say] = useState("");
  const [asked, ask] = useState("");
  const draft = chosen ?? begin(bench);
  const write = (next: Draft | null) => {
    choose(next);
    if (next) drafts.set(id, next);
    else drafts.delete(id);
  };
  useEffect(() => card.current?.focus(), []);

  const settled = async () => {
    await Promise.all([
      queries.invalidateQueries({ queryKey: ["bench", id] }),
      queries.invalidateQueries({ queryKey: ["grading", course] }),
      queries.invalidateQueries({ queryKey: ["calibration", question] }),
    ]);
  };
  const path = { params: { path: { id } } };
  const propose = useMutation({
    mutationFn: () => take(api.POST("/api/v1/submissions/{id}/proposals", path)),
    onSuccess: async () => {
      await settled();
      say("A grade is proposed. It counts for nothing until you set one.");
    },
  });
  const set = useMutation({
    mutationFn: ({ levels, comments, comment, reason }: Draft) =>
      take(
        api.PUT("/api/v1/submissions/{id}/grade", {
          ...path,
          body: {
            marks: bench.criteria.map((one) => ({
              criterion: one.id,
              level: levels[one.id],
              comment: comments[one.id]?.trim() || null,
            })) as unknown as Record<string, never>[],
            comment: comment.trim() || null,
            reason: reason.trim() || null,
          },
        }),
      ),
    onSuccess: async ({ data }) => {
      await settled();
      write(null);
      const { points: given, most } = data.attributes;
      say(`Set: ${points(given)} of ${points(most)} points. The learner sees nothing of it until you release it.`);
    },
  });
  const release = useMutation({
    mutationFn: () => take(api.POST("/api/v1/submissions/{id}/release", path)),
    onSuccess: async () => {
      await settled();
      say("Released: the learner can read it now.");
      card.current?.focus();
    },
  });

  const proposal = standing(bench);
  const last = bench.history.at(-1);
  const [canPropose, canSet, canRelease] = ["grade.propose", "grade.set", "grade.release"].map((one) =>
    may.includes(one),
  );
  const busy = propose.isPending || set.isPending || release.isPending;
  const differs = differsFrom(bench, draft);
  const unset = changed(bench, draft);
  const releasable = canRelease && last !== undefined && last.releasedAt == null;
  const total = pointsOf(bench, draft.levels);
  const empty = bench.criteria.filter((one) => draft.levels[one.id] === undefined).length;
  const at = order.indexOf(id);
  const go = (by: number) => {
    const next = order[at + by];
    if (at >= 0 && next) open(next);
  };
  const pick = (criterion: string, level: string) => {
    ask("");
    write({ ...draft, levels: { ...draft.levels, [criterion]: level } });
  };
  const visit = (place: number) => {
    const next = bench.criteria[place];
    if (!next) return;
    look(next.id);
    fields.current.get(next.id)?.focus();
  };
  const digit = (n: number) => {
    if (!canSet) return;
    const free = bench.criteria.find((one) => draft.levels[one.id] === undefined);
    const place = bench.criteria.findIndex((one) => one.id === (active ?? free?.id ?? bench.criteria[0]?.id));
    const criterion = bench.criteria[place];
    const level = criterion?.levels[n - 1];
    if (!criterion || !level) return;
    pick(criterion.id, level.id);
    visit(Math.min(place + 1, bench.criteria.length - 1));
  };
  const submit = () => {
    if (busy || !canSet) return;
    if (!full(bench, draft)) {
      const first = bench.criteria.findIndex((one) => draft.levels[one.id] === undefined);
      ask(`Choose a level for each criterion first: “${bench.criteria[first]?.title ?? ""}” has none.`);
      visit(first);
    } else if (differs && draft.reason.trim() === "") {
      ask("Write down why it differs, then set the grade.");
      reasonField.current?.focus();
    } else {
      ask("");
      set.mutate(draft);
    }
  };
  const takeOver = () => {
    if (!proposal || !canSet) return;
    write(takenOver(draft, proposal));
    say("The proposed levels are chosen. Look at each, then set the grade.");
  };
  const askToRelease = () => {
    if (busy || !canRelease) return;
    if (unset) return ask("Your choice is not set yet. Set the grade before you release it.");
    if (!last) return ask("Nobody graded this yet. Set the grade before you release it.");
    if (!releasable) return ask("This grade is released already.");
    ask("");
    confirm.current?.showModal();
    confirmIt.current?.focus();
  };
  const digits = Object.fromEntries([1, 2, 3, 4, 5, 6, 7, 8, 9].map((n) => [String(n), () => digit(n)]));
  const [on, turn] = useKeys({
    ...digits,
    j: () => go(1),
    k: () => go(-1),
    c: () => visit((bench.criteria.findIndex((one) => one.id === active) + 1) % bench.criteria.length),
    p: () => canPropose && !busy && propose.mutate(),
    t: takeOver,
    s: submit,
    l: askToRelease,
    "?": () => help.current?.showModal(),
  });
  const judged = new Map(proposal?.criteria.map((one) => [one.criterion, one] as const));
  const evidence = bench.criteria.map((one) => ({
    id: one.id,
    evidence:
      judged.get(one.id)?.evidence ?? last?.marks.find((mark) => mark.criterion === one.id)?.evidence ?? [],
  }));

  return (
    <section
      className="card bench"
      ref={card}
      tabIndex={-1}
      aria-label={at >= 0 ? `Text ${at + 1} of ${order.length}` : "The text"}
    >
      <div className="desk-bar">
        <span>
          {at >= 0 ? (
            <>
              <b>{at + 1}</b> of {order.length}
            </>
          ) : null}
        </span>
        <button type="button" onClick={() => go(-1)} disabled={at <= 0}>
          Back <kbd>k</kbd>
        </button>
        <button type="button" onClick={() => go(1)} disabled={at < 0 || at >= order.length - 1}>
          Next <kbd>j</kbd>
        </button>
        <button type="button" className="quiet" onClick={() => help.current?.showModal()}>
          Keys <kbd>?</kbd>
        </button>
      </div>
      <h2 className="stem">
        <Words text={bench.stem} />
      </h2>
      <p className="facts-line">
        <span className="tag">{STATE_NAMES[bench.state] ?? bench.state}</span>
        {last ? (
          <span className="tag">
            {points(last.points)} of {points(last.most)} points
          </span>
        ) : (
          <span className="tag">up to {points(bench.most)} points</span>
        )}
        <span className="quiet">Handed in {moment(bench.submittedAt)}</span>
      </p>
      <Appeals all={bench.appeals} criteria={bench.criteria} submission={id} course={course} mayAnswer={!!canRelease} />
      <div className="bench-sides">
        <div className="bench-text">
          <h3>What was handed in</h3>
          <EvidenceText text={bench.text} criteria={evidence} active={active} />
          {evidence.some((one) => one.evidence.length > 0) ? (
            <p className="quiet">
              Marked is what the proposal or the grade rests on; the letters name the criteria.
              {active ? (
                <button type="button" className="quiet inline" onClick={() => look(null)}>
                  Show all alike
                </button>
              ) : null}
            </p>
          ) : null}
          {bench.key.length > 0 ? (
            <details>
              <summary>A full answer</summary>
              {bench.key.map((one) => (
                <p key={one}>{one}</p>
              ))}
            </details>
          ) : null}
        </div>
        <form
          className="bench-rubric"
          noValidate
          onSubmit={(event) => {
            event.preventDefault();
            submit();
          }}
        >
          <h3>
            The rubric{" "}
            <small className="quiet">
              {bench.rubricVersion === 0 ? "implied by the question" : `version ${bench.rubricVersion}`}
            </small>
          </h3>
          <div className="proposal">
            {proposal ? (
              <>
                <p>
                  <b>
                    {proposal.share === null
                      ? "Proposed in part"
                      : `Proposed: ${points(proposal.share * bench.most)} of ${points(bench.most)} points`}
                  </b>
                  , {percent(proposal.confidence)} sure, {origin(proposal.origin)}. A suggestion, no grade.
                </p>
                {proposal.flags.length > 0 ? (
                  <ul className="flags">
                    {proposal.flags.map((flag) => (
                      <li key={flag}>{flagged(flag)}</li>
                    ))}
                  </ul>
                ) : null}
              </>
            ) : (
              <p className="quiet">
                {bench.proposal ? "The proposal is of an older rubric." : "Nothing is proposed for this text yet."}
              </p>
            )}
            <p className="actions">
              {proposal && canSet ? (
                <button type="button" disabled={busy} onClick={takeOver}>
                  Take over the proposal <kbd>t</kbd>
                </button>
              ) : null}
              {canPropose ? (
                <button type="button" disabled={busy} onClick={() => propose.mutate()}>
                  {propose.isPending ? "Proposing…" : proposal ? "Propose again" : "Propose"} <kbd>p</kbd>
                </button>
              ) : null}
            </p>
            {propose.isError ? <Problem title="Nothing was proposed" error={propose.error} /> : null}
          </div>
          {bench.criteria.map((one, place) => (
            <CriterionField
              key={one.id}
              place={place}
              criterion={one}
              bench={bench}
              judged={judged.get(one.id)}
              proposed={proposal !== null}
              level={draft.levels[one.id]}
              comment={draft.comments[one.id] ?? ""}
              active={active === one.id}
              readOnly={!canSet}
              box={(field) => {
                if (field) fields.current.set(one.id, field);
                else fields.current.delete(one.id);
              }}
              look={() => look(one.id)}
              pick={(level) => pick(one.id, level)}
              remark={(text) => write({ ...draft, comments: { ...draft.comments, [one.id]: text } })}
            />
          ))}
          {canSet ? (
            <>
              <label htmlFor={`${ids}-all`}>To the learner, about the whole</label>
              <textarea
                id={`${ids}-all`}
                rows={2}
                value={draft.comment}
                onChange={(event) => write({ ...draft, comment: event.currentTarget.value })}
              />
              {differs ? (
                <>
                  <label htmlFor={`${ids}-why`}>
                    Reason{" "}
                    <small>
                      needed: it differs from {differs === "grade" ? "the grade before" : "the proposal"}
                    </small>
                  </label>
                  <textarea
                    id={`${ids}-why`}
                    ref={reasonField}
                    rows={2}
                    required
                    aria-describedby={`${ids}-asked`}
                    value={draft.reason}
                    onChange={(event) => {
                      ask("");
                      write({ ...draft, reason: event.currentTarget.value });
                    }}
                  />
                </>
              ) : null}
              <p className="sum">
                {total === null ? (
                  <span className="quiet">
                    {plural(empty, "criterion", "criteria")}{" "}
                    without a level
                  </span>
                ) : (
                  <>
                    <b>{points(total)}</b> of {points(bench.most)} points
                    {unset ? <span className="quiet"> not set yet</span> : null}
                  </>
                )}
              </p>
            </>
          ) : null}
          <p className="bad" id={`${ids}-asked`} role="alert">
            {asked}
          </p>
          {set.isError ? <Problem title="The grade was not set" error={set.error} /> : null}
          {release.isError ? <Problem title="The grade was not released" error={release.error} /> : null}
          <p className="said" role="status">
            {said}
          </p>
          <p className="actions">
            {canSet ? (
              <button type="submit" className={releasable && !unset ? "" : "main"} disabled={busy}>
                {set.isPending ? "Setting…" : "Set grade"} <kbd>s</kbd>
              </button>
            ) : null}
            {canRelease ? (
              <button
                type="button"
                className={releasable && !unset ? "main" : ""}
                disabled={busy}
                onClick={askToRelease}
              >
                {release.isPending ? "Releasing…" : "Release"} <kbd>l</kbd>
              </button>
            ) : null}
          </p>
        </form>
      </div>
      <History all={bench.history} criteria={bench.criteria} me={me} />
      <Agreement question={question} />
      <dialog ref={confirm} aria-labelledby={`${ids}-release`}>
        <h2 id={`${ids}-release`}>Release this grade?</h2>
        <p>
          The learner sees the points, the level of each criterion, the marked passages and your comments. It cannot be
          taken back; a later grade can only follow it.
        </p>
        {last ? (
          <p>
            <b>
              {points(last.points)} of {points(last.most)} points
            </b>
          </p>
        ) : null}
        <p className="actions">
          <button type="button" onClick={() => confirm.current?.close()}>
            Not yet
          </button>
          <button
            type="button"
            className="main"
            ref={confirmIt}
            onClick={() => {
              confirm.current?.close();
              release.mutate();
            }}
          >
            Release it
          </button>
        </p>
      </dialog>
      <KeysDialog box={help} keys={KEYS} on={on} turn={turn} />
    </section>
  );
}
