/** A learner's own texts, as the server lists them. */
import type { Schemas } from "../../api/client";
import type { Level } from "../../api/grading";
import type { Evidence } from "../../api/evidence";

export interface Given extends Omit<Schemas["ReleasedMark"], "evidence" | "levels"> {
  levels: Level[];
  evidence: Evidence[];
}

export interface Grade extends Omit<Schemas["ReleasedGrade"], "criteria"> {
  criteria: Given[];
}

export interface Submission extends Omit<Schemas["SubmissionAttributes"], "grade"> {
  grade?: Grade | null;
}

export const OUTCOMES: Record<string, string> = {
  open: "Waits for an answer",
  upheld: "Answered: the points stayed",
  changed: "Answered: the points changed",
};

export const WAITS = "Waits for a person";
