/** The hint that wrong answers and days have unlocked; the ladder is the server's. */
import { useMutation } from "@tanstack/react-query";
import { api, Refused, take } from "../../api/client";
import { Problem } from "../../ui/state";
import { Words } from "../../ui/words";

const RUNGS = ["A nudge", "The place", "A worked part", "The answer"];

export function HintButton({ question }: { question: string }) {
  const hint = useMutation({
    mutationFn: () => take(api.GET("/api/v1/questions/{id}/hint", { params: { path: { id: question } } })),
  });
  // Nothing is unlocked yet: that is no failure.
  const early = hint.error instanceof Refused && hint.error.code === "NO_HINT_YET";
  const told = hint.data?.data.attributes;
  return (
    <div className="rung">
      <button type="button" onClick={() => hint.mutate()} disabled={hint.isPending}>
        {told ? "Look for a further hint" : "Give me a hint"}
      </button>
      <div role="status">
        {told ? (
          <p>
            <b>{RUNGS[told.rung] ?? "Hint"}:</b> <Words text={told.text} />
          </p>
        ) : null}
        {early ? <p>No hint yet: hints begin after a wrong answer.</p> : null}
      </div>
      {hint.isError && !early ? <Problem title="There is no hint now" error={hint.error} /> : null}
    </div>
  );
}
