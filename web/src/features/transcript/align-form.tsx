/** A text that somebody wrote down takes the times of the transcript; what does not fit is named before it is used. */
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { api, take } from "../../api/client";
import { clock } from "../../api/place";
import { plural } from "../../ui/plural";
import { Problem } from "../../ui/state";
import type { Cue } from "./lines";

export function AlignForm({ lesson, onUse }: { lesson: string; onUse: (cues: Cue[]) => void }) {
  const [text, setText] = useState("");
  const align = useMutation({
    mutationFn: () => {
      const path = { params: { path: { id: lesson } } };
      return take(api.POST("/api/v1/content/{id}/transcript/align", { ...path, body: { text } }));
    },
  });
  const found = align.data?.data.attributes;
  const misfits = [
    ["Not heard", found?.unaligned ?? []],
    ["Heard, and not in your text", found?.leftOut ?? []],
  ] as const;
  return (
    <details>
      <summary>I have the text of this recording</summary>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          align.mutate();
        }}
      >
        <label>
          The text, without times
          <textarea rows={6} value={text} onChange={(event) => setText(event.currentTarget.value)} />
        </label>
        <button type="submit" disabled={!text.trim() || align.isPending}>
          Find its times
        </button>
      </form>
      {align.isError ? <Problem title="The text was not aligned" error={align.error} /> : null}
      {found ? (
        <div role="status">
          <p>
            {Math.round(found.confidence * 100)} % of its words have their time from the transcript
            {found.confidence < 0.7 ? "; it may be the text of another recording" : ""}.
          </p>
          {misfits.map(([what, parts]) =>
            parts.length > 0 ? (
              <section key={what}>
                <h3>{what}</h3>
                <ul>
                  {parts.map((part, index) => (
                    <li key={index}>
                      {clock(part.start)}: {part.text}
                    </li>
                  ))}
                </ul>
              </section>
            ) : null,
          )}
          <button type="button" onClick={() => onUse(found.cues)}>
            Use {plural(found.cues.length, "line")} of it
          </button>
        </div>
      ) : null}
    </details>
  );
}
