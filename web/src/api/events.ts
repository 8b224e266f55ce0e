/** Server-sent events over `fetch`, because an `EventSource` cannot carry the login's token. */
import { raw } from "./client";
import { cut, type ServerEvent } from "./server-event";

/** Reads a stream to its end, event by event. */
export async function* stream(path: string, init: RequestInit): AsyncGenerator<ServerEvent> {
  const headers = new Headers(init.headers);
  headers.set("accept", "text/event-stream");
  const response = await raw(path, { ...init, headers });
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  if (!reader) return;
  let waiting = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const { events, rest } = cut(waiting + value);
      waiting = rest;
      yield* events;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
