/** Has questions drafted from the course; tells what came of it and why others were not offered. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useId, type FormEvent } from "react";
import { api, take } from "../../api/client";
import { plural } from "../../ui/plural";
import { Problem } from "../../ui/state";

interface Wanted {
  count: number;
  lessonId?: string;
}

export function GenerateForm({ course, onMade }: { course: string; onMade: (count: number) => void }) {
  const id = useId();
  const queries = useQueryClient();
  const path = { params: { path: { id: course } } };
  const outline = useQuery({
    queryKey: ["outline", course],
    queryFn: () => take(api.GET("/api/v1/courses/{id}/modules", path)),
  });
  const make = useMutation({
    mutationFn: (body: Wanted) => take(api.POST("/api/v1/courses/{id}/questions/generate", { ...path, body })),
    onSuccess: async ({ data }) => {
      await queries.invalidateQueries({ queryKey: ["bank", course] });
      onMade(data.attributes.items.length);
    },
  });
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const lessonId = String(form.get("lesson") ?? "");
    make.mutate({ count: Number(form.get("count")), ...(lessonId ? { lessonId } : {}) });
  };
  const told = make.data?.data.attributes;
  const reasons = new Map<string, number>();
  for (const { reason } of told?.rejected ?? []) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  return (
    <>
      <form className="line-form" onSubmit={submit}>
        <div>
          <label htmlFor={`${id}-count`}>How many</label>
          <input id={`${id}-count`} name="count" type="number" min={1} max={50} defaultValue={10} required />
        </div>
        <div className="wide-field">
          <label htmlFor={`${id}-lesson`}>From</label>
          <select id={`${id}-lesson`} name="lesson" defaultValue="">
            <option value="">The whole course</option>
            {(outline.data?.data ?? []).map((module) => (
              <optgroup key={module.id} label={module.attributes.title}>
                {module.attributes.lessons.map((lesson) => (
                  <option key={lesson.id} value={lesson.id}>
                    {lesson.title}
                  </option>
                ))}
              </optgroup>
            ))}
          </select>
        </div>
        <button type="submit" className="main" disabled={make.isPending}>
          {make.isPending ? "Drafting…" : "Draft questions"}
        </button>
      </form>
      <div role="status">
        {make.isPending ? (
          <>
            <progress aria-label="Drafting questions" />
            <p className="quiet">The course is being read. With a language model this takes some minutes.</p>
          </>
        ) : null}
        {told ? (
          <p className="done">
            {plural(told.items.length, "draft")} came into the bank.
            {told.rejected.length > 0 ? ` ${told.rejected.length} more did not pass the checks.` : ""}
          </p>
        ) : null}
      </div>
      {told?.notices.map((notice) => (
        <p key={notice} className="notice">
          {notice}
        </p>
      ))}
      {reasons.size > 0 ? (
        <details>
          <summary>Why {told?.rejected.length === 1 ? "one was" : "some were"} left out</summary>
          <ul>
            {[...reasons].map(([reason, count]) => (
              <li key={reason}>
                {reason}
                {count > 1 ? ` (${count} times)` : ""}
              </li>
            ))}
          </ul>
        </details>
      ) : null}
      {make.isError ? <Problem title="No questions were drafted" error={make.error} /> : null}
    </>
  );
}
