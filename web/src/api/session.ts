/**
 * The login of this tab. The access token lives in memory alone; the refresh token, which works once,
 * is kept by the tab so that a reload does not end the login, and ends with it.
 */
import { useSyncExternalStore } from "react";

export interface Tokens {
  accessToken: string;
  refreshToken: string;
}

const KEPT = "lyceum.refresh";
let access: string | null = null;
let running: Promise<boolean> | null = null;
const listeners = new Set<() => void>();

function changed() {
  for (const listener of listeners) listener();
}

export function begin(tokens: Tokens) {
  access = tokens.accessToken;
  sessionStorage.setItem(KEPT, tokens.refreshToken);
  changed();
}

export function forget() {
  access = null;
  sessionStorage.removeItem(KEPT);
  changed();
}

export function signedIn(): boolean {
  return access !== null || sessionStorage.getItem(KEPT) !== null;
}

export function useSignedIn(): boolean {
  return useSyncExternalStore((listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, signedIn);
}

async function exchange(): Promise<boolean> {
  const refreshToken = sessionStorage.getItem(KEPT);
  if (!refreshToken) return false;
  const response = await fetch("/api/v1/auth/refresh", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ refreshToken }),
  });
  // Only a refusal ends the login; a server that is away for a moment does not.
  if (response.status === 401) forget();
  if (!response.ok) return false;
  begin(((await response.json()) as { data: { attributes: Tokens } }).data.attributes);
  return true;
}

/** One exchange at a time: a refresh token that comes twice ends the login. */
function refresh(): Promise<boolean> {
  running ??= exchange().finally(() => {
    running = null;
  });
  return running;
}

/** The login's token, for a client that sends its own requests; `renew` exchanges one that was refused. */
export async function bearer(renew = false): Promise<string> {
  if ((renew || !access) && signedIn()) await refresh();
  return `Bearer ${access ?? ""}`;
}

/** `fetch` with the login's token; a token that ended is renewed once. */
export async function authorised(input: Request): Promise<Response> {
  const send = (request: Request) => {
    if (access) request.headers.set("authorization", `Bearer ${access}`);
    return fetch(request);
  };
  if (!access && signedIn()) await refresh();
  const again = input.clone();
  const response = await send(input);
  if (response.status !== 401 || !signedIn()) return response;
  return (await refresh()) ? send(again) : response;
}
