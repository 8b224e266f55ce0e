/** The typed way to the server; the types are made from `api/openapi.json`. */
import createClient from "openapi-fetch";
import type { components, paths } from "./schema";
import { authorised } from "./session";

export type Schemas = components["schemas"];
export const api = createClient<paths>({ baseUrl: window.location.origin, fetch: authorised });

/** A refusal in the server's words. */
export class Refused extends Error {
  constructor(
    message: string,
    readonly status: number,
    readonly traceId?: string,
    readonly code?: string,
  ) {
    super(message);
  }
}

function refusal(body: unknown, status: number): Refused {
  const error = (body as { error?: { message?: string; traceId?: string; code?: string } } | undefined)?.error;
  return new Refused(error?.message ?? `the server answered ${status}`, status, error?.traceId, error?.code);
}

/** The data of an answer, or the refusal as an error. */
export async function take<T>(
  answer: Promise<{ data?: T; error?: unknown; response: Response }>,
): Promise<NonNullable<T>> {
  const { data, error, response } = await answer;
  if (data === undefined || data === null) throw refusal(error, response.status);
  return data;
}

/** A response that is not JSON: text, a recording, a stream. */
export async function raw(path: string, init?: RequestInit): Promise<Response> {
  const response = await authorised(new Request(new URL(path, window.location.origin), init));
  if (!response.ok) throw refusal(await response.json().catch(() => undefined), response.status);
  return response;
}
