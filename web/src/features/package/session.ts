/** Opening a package, sending what it sets, leaving it. */
import { api, take, type Schemas } from "../../api/client";
import { authorised } from "../../api/session";
import { kept, Outbox, type Kept, type Send } from "./outbox";

export interface Opened extends Kept {
  card: Schemas["ScormOpenedAttributes"];
}

/** What a browser lets go out while its page is closed: 64 KiB. */
const MOST_HIDING = 50_000;

export const send: Send = async ({ attempt, nonce, revision }, batch, hiding) => {
  const body = { ...batch, nonce, revision };
  const params = { path: { id: attempt } };
  const keepalive = hiding && JSON.stringify(body).length < MOST_HIDING;
  const options = { params, body, fetch: (request: Request) => authorised(new Request(request, { keepalive })) };
  return (await take(api.POST("/api/v1/scorm-attempts/{id}/commits", options))).data.attributes;
};

/**
 * Sends what earlier sessions of this user left in the browser, before a new session shuts them. One tab at a time
 * does so; tells what can no longer be saved.
 */
export async function sendKept(): Promise<string[]> {
  const lost: string[] = [];
  const user = (await take(api.GET("/api/v1/auth/session"))).data.id;
  const work = async () => {
    for (const session of kept(localStorage, user)) {
      const box = new Outbox(localStorage, session, send, () => undefined);
      const sent = await box.settle();
      box.stop();
      if (box.state.name === "refused") lost.push(box.state.message);
      else if (!sent) throw new TypeError("what was done before has not reached the server yet");
    }
  };
  if (kept(localStorage, user).length === 0) return lost;
  if (navigator.locks) await navigator.locks.request("lyceum.package", work);
  else await work();
  return lost;
}

export async function open(lesson: string, restart: boolean): Promise<Opened> {
  const nonce = [...crypto.getRandomValues(new Uint8Array(16))].map((n) => n.toString(16).padStart(2, "0")).join("");
  const params = { path: { id: lesson } };
  const { data } = await take(api.POST("/api/v1/content/{id}/scorm", { params, body: { nonce, restart } }));
  const owner = (data.relationships as { user?: { data?: { id?: string } } }).user?.data?.id ?? "";
  const card = data.attributes;
  return { card, user: owner, lesson, attempt: data.id, revision: card.attempt.revision, nonce, batches: [] };
}

export async function finish({ attempt, nonce, revision }: Kept) {
  const params = { path: { id: attempt } };
  await take(api.POST("/api/v1/scorm-attempts/{id}/finish", { params, body: { nonce, revision } }));
}
