/** How well proposals to a question agree with the people who graded, and what that allows. */
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, take } from "../../api/client";
import { Problem, Waiting } from "../../ui/state";
import { ALLOWS } from "./words";

interface Figures {
  graded: number;
  kappa: number | null;
  error: number | null;
  weak: number;
  overscore: number | null;
  interval: [number, number] | null;
}

const part = (value: number) => `${value > 0 ? "+" : value < 0 ? "−" : ""}${Math.abs(Math.round(value * 100))} %`;

export function Agreement({ question }: { question: string }) {
  const [open, setOpen] = useState(false);
  const found = useQuery({
    queryKey: ["calibration", question],
    queryFn: () => take(api.GET("/api/v1/questions/{id}/calibration", { params: { path: { id: question } } })),
    enabled: open,
  });
  const { agreement, allows } = found.data?.data.attributes ?? {};
  const told = agreement as unknown as Figures | undefined;
  return (
    <details className="panel" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>How well proposals to this question agree with people</summary>
      {open && found.isPending ? <Waiting what="the figures" /> : null}
      {found.isError ? (
        <Problem title="The figures cannot be shown" error={found.error} retry={() => void found.refetch()} />
      ) : null}
      {told ? (
        <>
          <p>
            <b>{ALLOWS[allows ?? ""] ?? allows}</b>
          </p>
          <dl className="figures">
            <div>
              <dt>Graded by people, with a proposal</dt>
              <dd>{told.graded}</dd>
            </div>
            <div>
              <dt>Agreement (weighted kappa; 1 is full, 0 is chance)</dt>
              <dd>{told.kappa === null ? "Not known yet" : told.kappa.toFixed(2)}</dd>
            </div>
            <div>
              <dt>Mean error, of all points</dt>
              <dd>{told.error === null ? "Not known yet" : `${Math.round(told.error * 100)} %`}</dd>
            </div>
            <div>
              <dt>Weak answers rated too high ({told.weak} weak ones)</dt>
              <dd>
                {told.overscore === null ? "Not known yet" : `${part(told.overscore)} of all points`}
                {told.interval ? (
                  <small className="quiet">
                    {" "}
                    95 % interval {part(told.interval[0])} to {part(told.interval[1])}
                  </small>
                ) : null}
              </dd>
            </div>
          </dl>
          <p className="quiet">Only grades by the rubric of now are counted. Few of them say little.</p>
        </>
      ) : null}
    </details>
  );
}
