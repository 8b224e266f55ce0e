import type { Schemas } from "../../api/client";
import { moment } from "../../ui/moment";
import { plural, points } from "../../ui/plural";

type Quiz = Schemas["AssessmentAttributes"];

export function lasting(seconds: number): string {
  if (seconds < 60) return plural(seconds, "second");
  const [minutes, rest] = [Math.floor(seconds / 60), seconds % 60];
  return rest ? `${plural(minutes, "minute")} ${plural(rest, "second")}` : plural(minutes, "minute");
}

/** What a quiz asks for, in a line. */
export function facts(quiz: Quiz): string {
  return [
    plural(quiz.questions, "question"),
    `${points(quiz.points)} ${quiz.points === 1 ? "point" : "points"}`,
    quiz.timeLimitSeconds ? lasting(quiz.timeLimitSeconds) : "no time limit",
    quiz.attemptsAllowed ? plural(quiz.attemptsAllowed, "attempt") : "any number of attempts",
  ].join(" · ");
}

/** Whether it can be taken now, and if not, why. */
export function standing(quiz: Quiz, now = Date.now()): string {
  if (quiz.state === "draft") return "Draft";
  if (quiz.state === "closed") return "Closed";
  if (quiz.opensAt && Date.parse(quiz.opensAt) > now) return `Opens ${moment(quiz.opensAt)}`;
  if (quiz.closesAt && Date.parse(quiz.closesAt) <= now) return "Closed";
  return quiz.closesAt ? `Open until ${moment(quiz.closesAt)}` : "Open";
}

export function isOpen(quiz: Quiz, now = Date.now()): boolean {
  return standing(quiz, now).startsWith("Open") && !standing(quiz, now).startsWith("Opens");
}
