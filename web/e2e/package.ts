/** Packages for the journeys, made here: a zip without compression, and the pages of small SCORM packages. */
import { crc32 } from "node:zlib";

/** A zip archive of stored files (APPNOTE 4.3). */
export function zip(files: Record<string, string>): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const [path, text] of Object.entries(files)) {
    const [name, bytes] = [Buffer.from(path), Buffer.from(text)];
    const fields = Buffer.alloc(26);
    fields.writeUInt16LE(20, 0);
    fields.writeUInt32LE(crc32(bytes), 10);
    fields.writeUInt32LE(bytes.length, 14);
    fields.writeUInt32LE(bytes.length, 18);
    fields.writeUInt16LE(name.length, 22);
    const local = Buffer.concat([Buffer.from("PK\x03\x04"), fields, name, bytes]);
    const place = Buffer.alloc(14);
    place.writeUInt32LE(offset, 10);
    directory.push(Buffer.concat([Buffer.from("PK\x01\x02\x14\x00"), fields, place, name]));
    parts.push(local);
    offset += local.length;
  }
  const list = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write("PK\x05\x06", "latin1");
  end.writeUInt16LE(parts.length, 8);
  end.writeUInt16LE(parts.length, 10);
  end.writeUInt32LE(list.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, list, end]);
}

interface Item {
  id: string;
  title: string;
  href: string;
}

export function manifest(version: "1.2" | "2004 3rd Edition", title: string, items: Item[]): string {
  const scorm = version === "1.2" ? "scormtype" : "scormType";
  const adlcp =
    version === "1.2" ? "http://www.adlnet.org/xsd/adlcp_rootv1p2" : "http://www.adlnet.org/xsd/adlcp_v1p3";
  const tree = items.map(({ id, title }) => `<item identifier="${id}" identifierref="r-${id}"><title>${title}</title></item>`);
  const resources = items.map(
    ({ id, href }) =>
      `<resource identifier="r-${id}" type="webcontent" adlcp:${scorm}="sco" href="${href}"><file href="${href}"/></resource>`,
  );
  return `<?xml version="1.0"?><manifest identifier="m" xmlns:adlcp="${adlcp}">
<metadata><schema>ADL SCORM</schema><schemaversion>${version}</schemaversion></metadata>
<organizations default="o"><organization identifier="o"><title>${title}</title>${tree.join("")}</organization></organizations>
<resources>${resources.join("")}</resources></manifest>`;
}

/** A page that looks for the interface in its parents, says where it was, and sets what its buttons say. */
export function page(edition: "1.2" | "2004", title: string): string {
  const old = edition === "1.2";
  const [name, lms, end] = old ? ["API", "LMS", "Finish"] : ["API_1484_11", "", "Terminate"];
  const core = old ? "cmi.core." : "cmi.";
  const place = old ? "cmi.core.lesson_location" : "cmi.location";
  const passed = old
    ? `set("cmi.core.score.raw","90"); set("cmi.core.lesson_status","passed");`
    : `set("cmi.score.scaled","0.9"); set("cmi.score.raw","90"); set("cmi.success_status","passed"); set("cmi.completion_status","completed");`;
  return `<!doctype html><html lang="en"><title>${title}</title><body><h1>${title}</h1>
<p>A page of a package with enough words of its own that a reader sees.</p>
<p id="place"></p><p id="codes"></p>
<button onclick="go()">Go on</button><button onclick="pass()">Pass</button>
<button onclick="odd()">Something odd</button><button onclick="end('suspend','')">Pause</button>
<button onclick="end('','continue')">Finish and continue</button>
<script>
var at = window, api = null;
while (!(api = at.${name}) && at.parent !== at) at = at.parent;
api.${lms}Initialize("");
function set(element, value) { return api.${lms}SetValue(element, value); }
function show() { document.getElementById("place").textContent = "You are at " + (api.${lms}GetValue("${place}") || "the start"); }
function go() { set("${place}", String(Number(api.${lms}GetValue("${place}") || 0) + 1)); api.${lms}Commit(""); show(); }
function pass() { ${passed} api.${lms}Commit(""); }
function odd() { document.getElementById("codes").textContent = set("${core}nonsense", "1") + " " + api.${lms}GetLastError(); }
function end(exit, request) { set("${core}exit", exit); ${old ? "" : 'if (request) set("adl.nav.request", request);'} api.${lms}${end}(""); }
window.onbeforeunload = function () { set("${core}exit", "suspend"); api.${lms}${end}(""); };
show();
</script></body></html>`;
}

/** A page that tries to get out. Each try says whether it was held back; what cannot tell is judged by the server. */
export const HOSTILE = `<!doctype html><html lang="en"><title>Hostile</title><body><h1>Hostile</h1>
<p>A page of a package that tries what a package must not do.</p><pre id="tries">running</pre><script>
const app = new URLSearchParams(location.search).get("app");
const other = new URLSearchParams(location.search).get("other");
const held = (work) => { try { const got = work(); return "GOT " + String(got).slice(0, 60); } catch (error) { return "held"; } };
const refused = async (work) => {
  try { const r = await work(); return r.status === 401 || r.status === 404 ? "held" : "GOT " + r.status + " " + r.type; }
  catch (error) { return "held"; }
};
const element = (make) => new Promise((done) => {
  const one = make(); one.onerror = () => done("held"); one.onload = () => done("GOT");
  document.body.append(one); setTimeout(() => done("held"), 1500);
});
const tries = {
  "cookie of the app": () => held(() => top.document.cookie),
  "page of the app": () => held(() => top.document.body.innerHTML),
  "local storage of the app": () => held(() => top.localStorage.length),
  "session storage of the app": () => held(() => top.sessionStorage.getItem("lyceum.refresh")),
  "indexed databases of the app": () => held(() => top.indexedDB),
  "address of the app": () => held(() => top.location.href),
  "history of the app": () => held(() => top.history.length),
  "eval in the app": () => held(() => top.eval("1")),
  "fetch through the app": () => held(() => top.fetch("/api/v1/auth/session")),
  "function of the app": () => held(() => top.Array.prototype),
  "going elsewhere with the app": () => held(() => { top.location.href = "about:blank#gone"; return "went"; }),
  "own cookie": () => document.cookie === "" ? "held" : "GOT " + document.cookie,
  "own storage": () => Object.keys(localStorage).concat(Object.keys(sessionStorage)).filter((n) => n.includes("lyceum")).length ? "GOT" : "held",
  "opener": () => window.opener === null && top.opener === null ? "held" : "GOT",
  "API of the app, as user": () => refused(() => fetch(app + "/api/v1/auth/session", { credentials: "include" })),
  "API of the app, without reading": () => refused(() => fetch(app + "/api/v1/auth/session", { mode: "no-cors", credentials: "include" })),
  "API here, as user": () => refused(() => fetch("/api/v1/auth/session", { credentials: "include" })),
  "courses here": () => refused(() => fetch("/api/v1/courses", { credentials: "include" })),
  "another attempt's batch": () => refused(() => fetch("/api/v1/scorm-attempts/" + other + "/commits", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ key: "k", nonce: "0123456789abcdef", revision: 1, sequence: 1, values: [{ element: "cmi.core.score.raw", value: "100" }], terminate: true }) })),
  "another attempt's batch at the app": () => refused(() => fetch(app + "/api/v1/scorm-attempts/" + other + "/commits", { method: "POST", mode: "no-cors", body: "{}" })),
  "another attempt's files": () => refused(() => fetch(location.protocol + "//" + other + ".localhost:" + location.port + location.pathname)),
  "forged address": () => refused(() => fetch(location.pathname.replace(/\\.[0-9a-f]{8}/, ".00000000"))),
  "out of the package": () => refused(() => fetch("../../../../app/courses")),
  "request object": () => new Promise((done) => { const x = new XMLHttpRequest(); x.withCredentials = true; x.onload = () => done("GOT " + x.status); x.onerror = () => done("held"); try { x.open("GET", app + "/api/v1/courses"); x.send(); } catch (error) { done("held"); } }),
  "beacon": () => { navigator.sendBeacon(app + "/api/v1/scorm-attempts/" + other + "/commits", "{}"); return "held"; },
  "socket": () => new Promise((done) => { try { const s = new WebSocket(app.replace("http", "ws") + "/api/v1/progress/stream"); s.onopen = () => done("GOT"); s.onerror = () => done("held"); } catch (error) { done("held"); } setTimeout(() => done("held"), 1500); }),
  "event stream": () => new Promise((done) => { try { const s = new EventSource(app + "/api/v1/progress/stream", { withCredentials: true }); s.onopen = () => done("GOT"); s.onerror = () => { s.close(); done("held"); }; } catch (error) { done("held"); } }),
  "picture of the app": () => element(() => Object.assign(new Image(), { src: app + "/app/favicon.svg" })),
  "script of the app": () => element(() => Object.assign(document.createElement("script"), { src: app + "/docs/swagger-ui.js" })),
  "frame of the app": () => new Promise((done) => { const f = document.createElement("iframe"); f.src = app + "/app/courses"; document.body.append(f); setTimeout(() => done(held(() => f.contentWindow.document.body.innerText)), 800); }),
  "form to the app": () => { const f = document.createElement("form"); f.method = "post"; f.target = "nowhere"; f.action = app + "/api/v1/auth/logout"; document.body.append(f); f.submit(); return "held"; },
  "worker that stays": () => navigator.serviceWorker.register("worker.js").then(() => "GOT", () => "held"),
  "word without the nonce": () => { top.postMessage({ lyceum: "set", nonce: "guess", element: "cmi.core.score.raw", value: "100" }, "*"); top.postMessage({ lyceum: "terminate", nonce: "", request: "" }, "*"); return "held"; },
  "word with the player's window": () => { try { parent.window.parent.postMessage({ lyceum: "set", nonce: "guess", element: "cmi.core.score.raw", value: "100" }, "*"); } catch (error) {} return "held"; },
  "begin again": () => { parent.postMessage({ lyceum: "begin", nonce: "guess", edition: "1.2", values: {}, launchUrl: location.href, title: "x", next: false, previous: false, targets: [] }, "*"); return "held"; },
};
(async () => {
  const told = {};
  // What neither answers nor fails within the time got nothing.
  const late = () => new Promise((done) => setTimeout(() => done("held"), 2500));
  for (const name of Object.keys(tries)) {
    try { told[name] = await Promise.race([tries[name](), late()]); } catch (error) { told[name] = "held"; }
  }
  document.getElementById("tries").textContent = JSON.stringify(told);
})();
</script></body></html>`;

/** An H5P package with a library of its own: a text and a button that scores three of four points. */
export const H5P: Record<string, string> = {
  "h5p.json": JSON.stringify({
    title: "Nods",
    language: "en",
    mainLibrary: "H5P.Nod",
    embedTypes: ["iframe"],
    license: "U",
    preloadedDependencies: [{ machineName: "H5P.Nod", majorVersion: 1, minorVersion: 0 }],
  }),
  "content/content.json": JSON.stringify({ words: "A nod says yes." }),
  "H5P.Nod-1.0/library.json": JSON.stringify({
    title: "Nod",
    machineName: "H5P.Nod",
    majorVersion: 1,
    minorVersion: 0,
    patchVersion: 0,
    runnable: 1,
    preloadedJs: [{ path: "nod.js" }],
  }),
  "H5P.Nod-1.0/semantics.json": JSON.stringify([{ name: "words", type: "text", label: "Words" }]),
  "H5P.Nod-1.0/nod.js": `var H5P = H5P || {};
H5P.Nod = function (params, id) {
  H5P.EventDispatcher.call(this);
  this.contentId = id;
  var self = this;
  this.attach = function ($container) {
    var words = document.createElement("p");
    words.textContent = params.words;
    var button = document.createElement("button");
    button.textContent = "Nod";
    button.onclick = function () { self.triggerXAPIScored(3, 4, "completed", true, true); };
    $container[0].append(words, button);
  };
};
H5P.Nod.prototype = Object.create(H5P.EventDispatcher.prototype);
H5P.Nod.prototype.constructor = H5P.Nod;`,
};
