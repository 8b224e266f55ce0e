import { describe, expect, it } from "vitest";
import type { Criterion, Proposal } from "../../api/grading";
import { begin, changed, differsFrom, full, pointsOf, standing, takenOver, type Bench, type Past } from "./draft";

const levels = [
  { id: "full", title: "Met", share: 1 },
  { id: "half", title: "In part", share: 0.5 },
  { id: "none", title: "Not met", share: 0 },
];
const criterion = (id: string, points: number): Criterion => ({ id, title: id, description: "", points, levels });

function proposal(what: string | null, why: string | null): Proposal {
  const judged = (id: string, level: string | null) => ({
    criterion: id,
    level,
    share: level ? (levels.find((one) => one.id === level)?.share ?? null) : null,
    confidence: 0.6,
    evidence: [],
    flags: [],
    comment: level === "half" ? "Say more." : null,
  });
  const share = what && why ? 0.5 : null;
  const criteria = [judged("what", what), judged("why", why)];
  return { rubricVersion: 2, origin: { kind: "extract" }, criteria, share, confidence: 0.6, flags: [] };
}

const grade = (what: string, why: string): Past => ({
  version: 1,
  rubricVersion: 2,
  points: 4,
  most: 8,
  marks: [
    { criterion: "what", level: what, share: 1, evidence: [], comment: "Good." },
    { criterion: "why", level: why, share: 0, evidence: [] },
  ],
  gradedBy: "someone",
  gradedAt: "2026-01-01T00:00:00Z",
});

function bench(proposed: Proposal | null, history: Past[] = []): Bench {
  return {
    stem: "Why?",
    key: [],
    text: "Because.",
    state: "waiting",
    most: 8,
    submittedAt: "2026-01-01T00:00:00Z",
    rubricVersion: 2,
    criteria: [criterion("what", 3), criterion("why", 1)],
    proposal: proposed ? { id: "p", createdAt: "2026-01-01T00:00:00Z", inputsHash: "", proposal: proposed } : null,
    history,
    appeals: [],
  };
}

describe("a draft of a grade", () => {
  it("begins without the proposal, and takes it over only when asked", () => {
    const one = bench(proposal("half", null));
    const draft = begin(one);
    expect(draft.levels).toEqual({});
    const taken = takenOver({ ...draft, comments: { what: "Mine." } }, standing(one) as Proposal);
    expect(taken.levels).toEqual({ what: "half" });
    expect(taken.comments).toEqual({ what: "Mine." });
    expect(full(one, taken)).toBe(false);
    expect(takenOver(draft, proposal("half", "half")).comments).toEqual({ what: "Say more.", why: "Say more." });
  });

  it("begins with the grade that a person gave before", () => {
    const one = bench(null, [grade("full", "none")]);
    expect(begin(one)).toEqual({
      levels: { what: "full", why: "none" },
      comments: { what: "Good." },
      comment: "",
      reason: "",
    });
    expect(changed(one, begin(one))).toBe(false);
    expect(changed(one, { ...begin(one), comment: "Well done" })).toBe(true);
  });

  it("comes to weighted points once each criterion has a level", () => {
    const one = bench(null);
    expect(pointsOf(one, { what: "half" })).toBeNull();
    expect(pointsOf(one, { what: "half", why: "full" })).toBe(5);
    expect(pointsOf(one, { what: "full", why: "full" })).toBe(8);
  });

  it("needs a reason where it leaves a whole proposal or the grade before", () => {
    const given = (what: string, why: string) => ({ levels: { what, why }, comments: {}, comment: "", reason: "" });
    expect(differsFrom(bench(null), given("full", "none"))).toBeNull();
    expect(differsFrom(bench(proposal("half", null)), given("full", "none"))).toBeNull();
    expect(differsFrom(bench(proposal("half", "none")), given("half", "none"))).toBeNull();
    expect(differsFrom(bench(proposal("half", "none")), given("full", "none"))).toBe("proposal");
    const graded = bench(proposal("half", "none"), [grade("full", "none")]);
    expect(differsFrom(graded, given("full", "none"))).toBeNull();
    expect(differsFrom(graded, given("half", "none"))).toBe("grade");
  });

  it("leaves out a proposal of an older rubric", () => {
    const old = bench({ ...proposal("half", "half"), rubricVersion: 1 });
    expect(standing(old)).toBeNull();
    expect(differsFrom(old, { ...begin(old), levels: { what: "none", why: "none" } })).toBeNull();
  });
});
