/**
 * Plays an H5P package with the player that the school supplies, and hands on what it reports as SCORM 1.2 does: to
 * the page that frames this one it is a package like any other.
 */

/** What is used of h5p-standalone, whose scripts the page loads before this one. */
interface Player {
  H5P: new (place: HTMLElement, options: Record<string, unknown>) => Promise<unknown>;
}

/** A statement of the Experience API, as far as it is read; nothing of it is believed. */
interface Statement {
  verb?: { id?: unknown };
  result?: {
    completion?: unknown;
    success?: unknown;
    score?: { scaled?: unknown; raw?: unknown; max?: unknown };
  };
  context?: { contextActivities?: { parent?: unknown } };
}

interface Api {
  LMSInitialize(argument: string): string;
  LMSFinish(argument: string): string;
  LMSGetValue(element: string): string;
  LMSSetValue(element: string, value: string): string;
  LMSCommit(argument: string): string;
}

const STATUS = "cmi.core.lesson_status";
const found = window as unknown as {
  H5PStandalone: Player;
  H5P?: { externalDispatcher?: { on: (name: "xAPI", heard: (event: { data?: { statement?: Statement } }) => void) => void } };
};
const api = (window.parent as unknown as { API: Api }).API;
const place = document.querySelector<HTMLElement>("#content");

/** The share of the points that was reached, from 0 to 1. */
function share({ scaled, raw, max }: { scaled?: unknown; raw?: unknown; max?: unknown }): number | undefined {
  const part = typeof scaled === "number" ? scaled : typeof raw === "number" && typeof max === "number" ? raw / max : NaN;
  return part >= 0 && part <= 1 ? part : undefined;
}

function status({ verb, result }: Statement): string | undefined {
  const done = /\/(completed|answered|passed|failed|mastered)$/.exec(String(verb?.id ?? ""))?.[1];
  if (result?.success === true || done === "passed" || done === "mastered") return "passed";
  if (result?.success === false || done === "failed") return "failed";
  return done || result?.completion === true ? "completed" : undefined;
}

function heard(statement: Statement | undefined) {
  const parents = statement?.context?.contextActivities?.parent;
  // A question within the whole: the whole says what came of all of them.
  if (!statement || (Array.isArray(parents) && parents.length > 0)) return;
  const reached = share(statement.result?.score ?? {});
  const word = status(statement);
  if (reached === undefined && !word) return;
  if (reached !== undefined) {
    api.LMSSetValue("cmi.core.score.min", "0");
    api.LMSSetValue("cmi.core.score.max", "100");
    api.LMSSetValue("cmi.core.score.raw", String(Math.round(reached * 10_000) / 100));
  }
  if (word) api.LMSSetValue(STATUS, word);
  api.LMSCommit("");
}

async function play(place: HTMLElement) {
  api.LMSInitialize("");
  if (["", "not attempted"].includes(api.LMSGetValue(STATUS))) {
    api.LMSSetValue(STATUS, "incomplete");
    api.LMSCommit("");
  }
  const address = (path: string) => new URL(path, window.location.href);
  await new found.H5PStandalone.H5P(place, {
    h5pJsonPath: address("../files").pathname,
    frameJs: address("core/frame.bundle.js").href,
    frameCss: address("core/styles/h5p.css").href,
  });
  found.H5P?.externalDispatcher?.on("xAPI", ({ data }) => heard(data?.statement));
}

window.addEventListener("pagehide", () => api.LMSFinish(""));
if (place)
  play(place).catch((error: unknown) => {
    place.setAttribute("role", "alert");
    place.textContent = `This content cannot be played: ${error instanceof Error ? error.message : String(error)}.`;
  });

export {};
