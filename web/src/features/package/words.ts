/** What an attempt has come to, in words. Scores are what the package says. */
import type { Schemas } from "../../api/client";
import type { State } from "./outbox";

export type Standing = Pick<Schemas["ScormStandingAttributes"], "completion" | "success" | "scaled" | "raw">;

const COMPLETION: Record<string, string> = { completed: "Completed", incomplete: "In progress" };
const SUCCESS: Record<string, string> = { passed: "Passed", failed: "Not passed" };

export function standingInWords({ completion, success, scaled, raw }: Standing): string {
  const words = [SUCCESS[success], COMPLETION[completion]].filter((word) => word !== undefined);
  const score = typeof raw === "number" ? raw : typeof scaled === "number" ? scaled * 100 : null;
  if (score !== null) words.push(`score ${Math.round(score * 100) / 100}${typeof raw === "number" ? "" : " %"}`);
  return words.length === 0 ? "Begun" : `${words.join(", ")} (as the package reports)`;
}

export function stateInWords(state: State, online: boolean): string {
  switch (state.name) {
    case "idle":
      return "";
    case "saving":
      return "Saving…";
    case "saved":
      return "Saved";
    case "waiting":
      return online
        ? "Not saved yet: the server does not answer. Kept in this browser; trying again…"
        : "Waiting for the network. What you do is kept in this browser and saved when you are back.";
    case "refused":
      return `Not saved: ${state.message}`;
  }
}
