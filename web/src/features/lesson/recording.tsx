/** A recording with captions and its transcript; a click or Enter on a line seeks there. */
import { useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useRef, useState } from "react";
import { useLocation } from "react-router";
import { raw } from "../../api/client";
import { clock, type Place } from "../../api/place";
import { Problem, Waiting } from "../../ui/state";
import { useCited } from "./cited";
import { cues as read, webVtt } from "./cues";

/** An address of these bytes for as long as they are shown. */
function useAddress(blob: Blob | undefined): string | undefined {
  const [url, setUrl] = useState<string>();
  useEffect(() => {
    if (!blob) return;
    const made = URL.createObjectURL(blob);
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [blob]);
  return url;
}

interface Props {
  lesson: string;
  captions: string;
  shown: boolean;
  at: Place | null;
}

export function Recording({ lesson, captions, shown, at }: Props) {
  const root = useRef<HTMLOListElement>(null);
  const player = useRef<HTMLVideoElement>(null);
  const [now, setNow] = useState(-1);
  const { state } = useLocation();
  const cues = useMemo(() => read(captions), [captions]);
  // A player sends no token with its requests, so that the recording is fetched whole.
  const media = useQuery({
    queryKey: ["media", lesson],
    queryFn: async () => (await raw(`/api/v1/content/${lesson}/media`)).blob(),
    enabled: shown,
    staleTime: Infinity,
  });
  const track = useMemo(() => new Blob([webVtt(cues)], { type: "text/vtt" }), [cues]);
  const [source, captionsUrl] = [useAddress(media.data), useAddress(track)];
  useCited(root, at, cues);
  const start = at?.kind === "time" ? at.start : null;
  useEffect(() => {
    if (start !== null && player.current && source) player.current.currentTime = start;
  }, [start, source, state]);
  const seek = (time: number) => {
    if (!player.current) return;
    player.current.currentTime = time;
    void player.current.play().catch(() => undefined);
  };
  return (
    <div>
      {media.isError ? (
        <Problem title="The recording cannot be played" error={media.error} retry={() => void media.refetch()} />
      ) : null}
      {media.isLoading ? <Waiting what="the recording" /> : null}
      {source && captionsUrl ? (
        <video ref={player} controls src={source} onTimeUpdate={(event) => setNow(event.currentTarget.currentTime)}>
          <track kind="captions" src={captionsUrl} label="Captions" srcLang="en" default />
        </video>
      ) : null}
      <h2>Transcript</h2>
      <ol className="transcript" ref={root}>
        {cues.map((cue) => (
          <li key={cue.start} data-place-kind="time" data-place-start={cue.start} data-place-end={cue.end}>
            <button
              type="button"
              disabled={!shown}
              onClick={() => seek(cue.start)}
              aria-current={cue.start <= now && now < cue.end ? "true" : undefined}
            >
              <span className="clock">{clock(cue.start)}</span> {cue.text}
            </button>
          </li>
        ))}
      </ol>
    </div>
  );
}
