/**
 * The page that plays a package, on the origin of packages. It holds the two run-time objects that packages look for
 * in their parents, and tells the page that frames it what the script does. The data model here answers the script at
 * once; the server's replays every value and has the last word.
 */
import type { Begin, Hello, Said, ToApp, ToPlayer } from "./protocol";

/** The functions of SCORM 1.2 and, without "LMS" and with another end, of 2004. */
interface Model {
  Initialize(argument: string): string;
  Terminate(argument: string): string;
  GetValue(element: string): string;
  SetValue(element: string, value: string): string;
  Commit(argument: string): string;
  GetLastError(): string;
  GetErrorString(code: string): string;
  GetDiagnostic(code: string): string;
}

const DONE = "true";
/** How long a package may take for its last words. */
const PATIENCE = 1_500;
const app = document.querySelector<HTMLMetaElement>('meta[name="lyceum-app"]')?.content ?? "";
const frame = document.createElement("iframe");
let nonce: string | null = null;

function say(said: Said | Hello) {
  const message: ToApp = said.lyceum === "hello" ? said : { ...said, nonce: nonce ?? "" };
  window.parent.postMessage(message, app);
}

async function model(edition: string, values: Record<string, string>): Promise<Model> {
  const settings = { autocommit: false, logLevel: 5 };
  const kept = Object.fromEntries(Object.entries(values).filter(([element]) => element.startsWith("cmi.")));
  if (edition === "1.2") {
    const { Scorm12API } = await import("scorm-again/scorm12/min");
    const api = new Scorm12API(settings);
    api.loadFromFlattenedJSON(kept, "");
    return {
      Initialize: (argument) => api.LMSInitialize(argument),
      Terminate: (argument) => api.LMSFinish(argument),
      GetValue: (element) => api.LMSGetValue(element),
      SetValue: (element, value) => api.LMSSetValue(element, value),
      Commit: (argument) => api.LMSCommit(argument),
      GetLastError: () => api.LMSGetLastError(),
      GetErrorString: (code) => api.LMSGetErrorString(code),
      GetDiagnostic: (code) => api.LMSGetDiagnostic(code),
    };
  }
  const { Scorm2004API } = await import("scorm-again/scorm2004/min");
  const api = new Scorm2004API(settings);
  api.loadFromFlattenedJSON(kept, "");
  return api;
}

/** What `adl.nav.request_valid` answers: nothing for any other element. */
function valid(element: string, begin: Begin): string | undefined {
  const [, request = "", target] = /^adl\.nav\.request_valid\.(\w+)(?:\.\{target=(.*)\})?$/.exec(element) ?? [];
  if (request === "continue") return String(begin.next);
  if (request === "previous") return String(begin.previous);
  if ((request === "choice" || request === "jump") && target !== undefined)
    return String(begin.targets.includes(target));
  return undefined;
}

/** Scripts pass numbers and leave arguments out. */
function text(value: unknown): string {
  return value === undefined || value === null ? "" : String(value);
}

function told(inner: Model, begin: Begin): Model {
  let running = false;
  let asked = "";
  return {
    Initialize(argument) {
      const done = inner.Initialize(text(argument));
      if (done === DONE) {
        running = true;
        say({ lyceum: "initialize" });
      }
      return done;
    },
    Terminate(argument) {
      const done = inner.Terminate(text(argument));
      if (done === DONE) {
        running = false;
        say({ lyceum: "terminate", request: asked });
      }
      return done;
    },
    GetValue(element) {
      const known = running && begin.edition !== "1.2" ? valid(text(element), begin) : undefined;
      // Reading what is always there makes the last error none.
      if (known !== undefined) inner.GetValue("cmi.mode");
      return known ?? inner.GetValue(text(element));
    },
    SetValue(element, value) {
      const done = inner.SetValue(text(element), text(value));
      if (done === DONE) {
        if (element === "adl.nav.request") asked = text(value);
        say({ lyceum: "set", element: text(element), value: text(value) });
      }
      return done;
    },
    Commit(argument) {
      const done = inner.Commit(text(argument));
      if (done === DONE) say({ lyceum: "commit" });
      return done;
    },
    GetLastError: () => text(inner.GetLastError()),
    GetErrorString: (code) => inner.GetErrorString(text(code)),
    GetDiagnostic: (code) => inner.GetDiagnostic(text(code)),
  };
}

async function start(begin: Begin) {
  const api = told(await model(begin.edition, begin.values), begin);
  const found = window as unknown as Record<string, unknown>;
  if (begin.edition === "1.2") {
    found.API = {
      LMSInitialize: api.Initialize,
      LMSFinish: api.Terminate,
      LMSGetValue: api.GetValue,
      LMSSetValue: api.SetValue,
      LMSCommit: api.Commit,
      LMSGetLastError: api.GetLastError,
      LMSGetErrorString: api.GetErrorString,
      LMSGetDiagnostic: api.GetDiagnostic,
    };
  } else {
    found.API_1484_11 = api;
  }
  frame.title = begin.title;
  frame.name = "package";
  frame.allow = "autoplay; fullscreen";
  // Set through the object model: a policy without inline styles allows this and nothing else.
  for (const box of [document.documentElement, document.body]) {
    box.style.margin = "0";
    box.style.height = "100%";
    box.style.background = "#fff";
  }
  frame.style.cssText = "display: block; border: 0; width: 100%; height: 100%";
  frame.src = begin.launchUrl;
  document.body.append(frame);
}

/** Takes the package away as a browser does that goes elsewhere, so that its last words are heard. */
function leave() {
  const gone = () => {
    if (!frame.isConnected) return;
    frame.remove();
    say({ lyceum: "left" });
  };
  frame.addEventListener("load", gone, { once: true });
  setTimeout(gone, PATIENCE);
  if (frame.contentWindow) frame.contentWindow.location.replace("about:blank");
  else gone();
}

window.addEventListener("message", ({ origin, source, data }: MessageEvent<ToPlayer | null>) => {
  if (origin !== app || source !== window.parent || !data) return;
  if (data.lyceum === "begin" && nonce === null && new URL(data.launchUrl).origin === window.location.origin) {
    nonce = data.nonce;
    void start(data);
  } else if (data.lyceum === "leave" && data.nonce === nonce) {
    leave();
  }
});
say({ lyceum: "hello" });
