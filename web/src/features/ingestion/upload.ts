/** A file on its way to the server in pieces (tus): it goes on where it stopped, after a reload as well. */
import { DetailedError, Upload } from "tus-js-client";
import { bearer } from "../../api/session";

/** Bytes of a piece: what a broken line costs at most. */
const PIECE = 16 * 1024 * 1024;
const WAITS = [0, 1_000, 3_000, 10_000, 30_000];

export interface Sending {
  /** Id of the upload, once all of it is there. */
  done: Promise<string>;
  /** Stops; sending the same file again goes on from there. */
  stop: () => void;
}

function words(error: Error): Error {
  const answer = error instanceof DetailedError ? error.originalResponse?.getBody() : undefined;
  if (!answer) return new Error("the server cannot be reached; what it has is kept");
  try {
    const told = JSON.parse(answer) as { error?: { message?: string } };
    return new Error(told.error?.message ?? error.message);
  } catch {
    return error;
  }
}

export function send(course: string, file: File, onProgress: (sent: number) => void): Sending {
  let stop = () => {};
  const done = new Promise<string>((resolve, reject) => {
    const upload = new Upload(file, {
      endpoint: `/api/v1/courses/${course}/uploads`,
      chunkSize: PIECE,
      metadata: { filename: file.name },
      retryDelays: WAITS,
      removeFingerprintOnSuccess: true,
      // The same file for another course is another upload.
      fingerprint: async () => ["tus", course, file.name, file.size, file.lastModified].join("/"),
      onBeforeRequest: async (request) => request.setHeader("Authorization", await bearer()),
      onAfterResponse: async (_, response) => {
        if (response.getStatus() === 401) await bearer(true);
      },
      onShouldRetry: (error) => {
        const status = error.originalResponse?.getStatus() ?? 0;
        return status === 0 || status >= 500 || [401, 409, 423].includes(status);
      },
      onProgress,
      onError: (error) => reject(words(error)),
      onSuccess: () => resolve(upload.url?.split("/").pop() ?? ""),
    });
    stop = () => {
      void upload.abort();
      reject(new Error("stopped; send the same file again to go on"));
    };
    void upload.findPreviousUploads().then(([last]) => {
      if (last) upload.resumeFromPreviousUpload(last);
      upload.start();
    }, reject);
  });
  return { done, stop: () => stop() };
}
