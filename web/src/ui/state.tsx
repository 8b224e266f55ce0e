/** What a page shows before its content: waiting, or what went wrong and what to do. */
import { Refused } from "../api/client";

export function Waiting({ what }: { what: string }) {
  return (
    <p className="waiting" role="status">
      Loading {what}…
    </p>
  );
}

function advice(error: unknown): string {
  if (!(error instanceof Refused)) return "The server does not answer. Check the connection, then try again.";
  if (error.status === 401) return "Your login has ended. Sign in again.";
  if (error.code === "REASON_REQUIRED") return "Those who teach this course need none; ask one of them.";
  if (error.code === "PROPOSALS_OFF") return "Grade this text by hand.";
  if (error.code === "OVERRIDE_REASON_REQUIRED") return "Write the reason, then set the grade again.";
  if (error.status === 422) return "Change it, then try again.";
  if (error.status === 403) return "Your role does not allow this. An instructor or administrator can change that.";
  if (error.status === 404) return "It may have been removed, or it is not open to you.";
  if (error.status === 429) return "Wait a minute, then try again.";
  return "Try again; if it stays, give the trace below to whoever runs this server.";
}

export function Problem({ title, error, retry }: { title: string; error: unknown; retry?: () => void }) {
  const refused = error instanceof Refused ? error : null;
  return (
    <div className="problem" role="alert">
      <strong>{title}</strong>
      <p>
        {refused ? `${refused.message}. ` : ""}
        {advice(error)}
      </p>
      {refused?.traceId && refused.status >= 500 ? <p className="trace">Trace {refused.traceId}</p> : null}
      {retry ? (
        <button type="button" onClick={retry}>
          Try again
        </button>
      ) : null}
    </div>
  );
}
