/** Ingesting a file: sent in pieces with its progress, then started. */
import { useMutation } from "@tanstack/react-query";
import { useId, useRef, useState, type FormEvent } from "react";
import { api, take } from "../../api/client";
import { Problem } from "../../ui/state";
import { bytes } from "./figures";
import { send, type Sending } from "./upload";

const KINDS: [string, string][] = [
  ["file", "Document (Markdown, HTML, PDF, DOCX, PPTX, EPUB, notebook, captions)"],
  ["video", "Recording (video or sound)"],
  ["scorm", "SCORM package"],
  ["cartridge", "Common Cartridge"],
  ["qti", "QTI questions"],
  ["h5p", "H5P"],
  ["cmi5", "cmi5 package"],
];

export function NewUpload({ course, onStart }: { course: string; onStart: () => void }) {
  const id = useId();
  const running = useRef<Sending | null>(null);
  const [sent, setSent] = useState<{ bytes: number; of: number } | null>(null);
  const start = useMutation({
    mutationFn: async ({ kind, file }: { kind: string; file: File }) => {
      setSent({ bytes: 0, of: file.size });
      running.current = send(course, file, (bytes) => setSent({ bytes, of: file.size }));
      const upload = await running.current.done;
      return take(api.POST("/api/v1/ingestions", { body: { courseId: course, kind, upload } }));
    },
    onSettled: () => {
      running.current = null;
      setSent(null);
      onStart();
    },
  });
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const file = form.get("file");
    if (file instanceof File) start.mutate({ kind: String(form.get("kind")), file });
  };
  return (
    <>
      <form className="row" onSubmit={submit}>
        <label htmlFor={`${id}-kind`}>A file from this computer</label>
        <select id={`${id}-kind`} name="kind">
          {KINDS.map(([value, name]) => (
            <option key={value} value={value}>
              {name}
            </option>
          ))}
        </select>
        <label htmlFor={`${id}-file`}>The file</label>
        <input id={`${id}-file`} name="file" type="file" required />
        <div className="actions">
          <button type="submit" className="main" disabled={start.isPending}>
            Upload and ingest
          </button>
          {sent ? (
            <button type="button" onClick={() => running.current?.stop()}>
              Stop
            </button>
          ) : null}
        </div>
      </form>
      {sent ? (
        <div className="ingestions" role="status">
          <progress aria-label="Sent" value={sent.bytes} max={sent.of} />
          {bytes(sent.bytes)} of {bytes(sent.of)} sent
        </div>
      ) : null}
      {start.isError ? <Problem title="The file was not ingested" error={start.error} /> : null}
    </>
  );
}
