/** The text of a document that is not shown in its own form: by page or section, each one an anchor. */
import { useMutation } from "@tanstack/react-query";
import { useRef } from "react";
import { raw, type Schemas } from "../../api/client";
import type { Place } from "../../api/place";
import { inWords } from "../../api/place";
import { useCited } from "./cited";

interface Props {
  passages: Schemas["PassageAttributes"][];
  kind: string | undefined;
  lesson: string;
  at: Place | null;
}

async function download(lesson: string) {
  const blob = await (await raw(`/api/v1/content/${lesson}/media`)).blob();
  const url = URL.createObjectURL(blob);
  const link = document.createElement("a");
  link.href = url;
  link.download = "document.pdf";
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/** Places that a reader knows by their number. */
const NUMBERED = new Set(["page", "slide"]);

export function Passages({ passages, kind, lesson, at }: Props) {
  const root = useRef<HTMLDivElement>(null);
  const save = useMutation({ mutationFn: () => download(lesson) });
  useCited(root, at, passages);
  return (
    <div className="prose" ref={root}>
      {kind === "pdf" ? (
        <p>
          The text of the document, page by page.{" "}
          <button type="button" onClick={() => save.mutate()} disabled={save.isPending}>
            Download the PDF
          </button>
          {save.isError ? <span role="alert"> The document could not be fetched; try again.</span> : null}
        </p>
      ) : null}
      {passages.length === 0 ? <p className="empty">This lesson has no text.</p> : null}
      {passages.map(({ headingPath, text, locator }, index) => {
        const heading = headingPath.at(-1);
        const same = passages[index - 1]?.headingPath.join("\u0000") === headingPath.join("\u0000");
        return (
          <section
            key={index}
            data-place-kind={locator.kind}
            data-place-start={locator.start}
            data-place-end={locator.end}
          >
            {heading && !same ? <h2>{heading}</h2> : null}
            {NUMBERED.has(locator.kind) ? <p className="place">{inWords(locator)}</p> : null}
            <p className="kept-lines">{text}</p>
          </section>
        );
      })}
    </div>
  );
}
