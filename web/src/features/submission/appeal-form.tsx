/** Says why a released grade is wrong; a person answers in time. */
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useId, useState, type FormEvent } from "react";
import { api, take } from "../../api/client";
import { Problem } from "../../ui/state";
import type { Given } from "./words";

const LONGEST = 4000;

interface Props {
  submission: string;
  course: string;
  criteria: Given[];
}

export function AppealForm({ submission, course, criteria }: Props) {
  const queries = useQueryClient();
  const id = useId();
  const [text, write] = useState("");
  const [criterion, choose] = useState("");
  const appeal = useMutation({
    mutationFn: () =>
      take(
        api.POST("/api/v1/submissions/{id}/appeals", {
          params: { path: { id: submission } },
          body: { criterion: criterion || null, text: text.trim() },
        }),
      ),
    onSuccess: async () => {
      write("");
      await Promise.all([
        queries.invalidateQueries({ queryKey: ["submission", submission] }),
        queries.invalidateQueries({ queryKey: ["submissions", course] }),
      ]);
    },
  });
  const send = (event: FormEvent) => {
    event.preventDefault();
    if (text.trim() !== "") appeal.mutate();
  };
  return (
    <details className="panel">
      <summary>Appeal against this grade</summary>
      <form onSubmit={send}>
        <p>
          Say what was overlooked or misread. Those who teach the course read it and answer within seven days. The grade
          you have stays until a new one is released.
        </p>
        <label htmlFor={`${id}-of`}>Against</label>
        <select id={`${id}-of`} value={criterion} onChange={(event) => choose(event.currentTarget.value)}>
          <option value="">The whole grade</option>
          {criteria.map((one) => (
            <option key={one.criterion} value={one.criterion}>
              {one.title}
            </option>
          ))}
        </select>
        <label htmlFor={`${id}-why`}>Why is it wrong?</label>
        <textarea
          id={`${id}-why`}
          rows={4}
          required
          maxLength={LONGEST}
          value={text}
          onChange={(event) => write(event.currentTarget.value)}
        />
        {appeal.isError ? <Problem title="Your appeal was not sent" error={appeal.error} /> : null}
        <p className="actions">
          <button type="submit" className="main" disabled={appeal.isPending || text.trim() === ""}>
            {appeal.isPending ? "Sending…" : "Send the appeal"}
          </button>
        </p>
      </form>
    </details>
  );
}
