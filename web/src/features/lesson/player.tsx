/** The player of a recording that is kept here. */
import { useCallback, useEffect, useImperativeHandle, useRef, useState, type Ref } from "react";
import { useLocation } from "react-router";
import type { Schemas } from "../../api/client";
import { clock } from "../../api/place";
import { KeysDialog } from "../../ui/keys-dialog";
import { useKeys } from "../../ui/keys";
import { Problem, Waiting } from "../../ui/state";
import { useKeepPlace } from "./keep-place";
import { SeekBar } from "./seek-bar";
import { useAddresses, useFeed } from "./stream";

/** What can be sent to a second. */
export interface Seekable {
  seek: (time: number) => void;
}

interface Props {
  lesson: string;
  video: Schemas["VideoContent"];
  /** The second that the address of the page names. */
  start: number | null;
  handle: Ref<Seekable>;
  onTime: (time: number) => void;
}

const SPEEDS = [0.5, 0.75, 1, 1.25, 1.5, 1.75, 2];
/** A recording that was left this close to its begin or end begins anew. */
const EDGE = 10;
const KEYS: [string, string][] = [
  ["k", "Play or pause"],
  ["j / l", "10 seconds back or on"],
  ["← / →", "5 seconds back or on"],
  ["m", "Sound off or on"],
  ["c", "Captions on or off"],
  ["f", "Full screen"],
  ["< / >", "Slower or faster"],
];

export function Player({ lesson, video, start, handle, onTime }: Props) {
  const frame = useRef<HTMLDivElement>(null);
  const element = useRef<HTMLVideoElement>(null);
  const keys = useRef<HTMLDialogElement>(null);
  const left = useRef<number | null>(null);
  const { state } = useLocation();
  const addresses = useAddresses(lesson);
  const { refetch } = addresses;
  const again = useCallback(() => {
    left.current = element.current?.currentTime ?? null;
    void refetch();
  }, [refetch]);
  // Before the feed: on leaving, the place is told while the recording is still there.
  useKeepPlace(element, lesson, video.keepsPosition);
  const { way, failed } = useFeed(element, addresses.data, again);
  const [now, setNow] = useState(0);
  const [length, setLength] = useState(video.duration ?? 0);
  const [playing, setPlaying] = useState(false);
  const [muted, setMuted] = useState(false);
  const [captions, setCaptions] = useState(true);
  const [speed, setSpeed] = useState(1);
  const [resumed, setResumed] = useState<number | null>(null);

  const seek = useCallback((time: number) => {
    const player = element.current;
    if (!player) return;
    player.currentTime = Math.max(0, Math.min(time, player.duration || time));
    setNow(player.currentTime);
  }, []);
  useImperativeHandle(handle, () => ({
    seek: (time) => {
      seek(time);
      void element.current?.play().catch(() => undefined);
    },
  }));
  useEffect(() => {
    if (start !== null) seek(start);
    // `state` changes when the same place is asked for again.
  }, [start, state, seek]);
  useEffect(() => {
    const track = element.current?.textTracks[0];
    if (track) track.mode = captions ? "showing" : "disabled";
  }, [captions, addresses.data]);

  const known = () => {
    const player = element.current;
    if (!player) return;
    if (Number.isFinite(player.duration)) setLength(player.duration);
    player.playbackRate = speed;
    const back = left.current;
    left.current = null;
    if (back !== null) return seek(back);
    if (start !== null) return seek(start);
    const { resumeAt } = video;
    if (resumeAt != null && resumeAt > EDGE && resumeAt < (player.duration || Infinity) - EDGE) {
      seek(resumeAt);
      setResumed(resumeAt);
    }
  };
  const toggle = () => {
    const player = element.current;
    if (!player) return;
    if (player.paused) void player.play().catch(() => undefined);
    else player.pause();
  };
  const mute = () => {
    if (element.current) element.current.muted = !element.current.muted;
  };
  const full = () => {
    if (document.fullscreenElement) void document.exitFullscreen();
    else void frame.current?.requestFullscreen().catch(() => undefined);
  };
  const pace = (next: number) => {
    setSpeed(next);
    if (element.current) element.current.playbackRate = next;
  };
  const step = (by: number) => {
    const at = SPEEDS.indexOf(speed) + by;
    pace(SPEEDS[Math.max(0, Math.min(at, SPEEDS.length - 1))] ?? 1);
  };
  const move = (by: number) => seek((element.current?.currentTime ?? 0) + by);
  const [on, turn] = useKeys({
    k: toggle,
    j: () => move(-10),
    l: () => move(10),
    ArrowLeft: () => move(-5),
    ArrowRight: () => move(5),
    m: mute,
    c: () => setCaptions((before) => !before),
    f: full,
    "<": () => step(-1),
    ">": () => step(1),
    "?": () => keys.current?.showModal(),
  });
  const language = video.captions[0]?.language ?? "en";
  return (
    <div className="player" ref={frame}>
      {addresses.isLoading ? <Waiting what="the recording" /> : null}
      {addresses.isError ? (
        <Problem title="The recording cannot be played" error={addresses.error} retry={() => void refetch()} />
      ) : null}
      {failed ? (
        <p className="problem" role="alert">
          {failed} Its transcript is below.
        </p>
      ) : null}
      <video
        ref={element}
        data-way={way ?? undefined}
        poster={addresses.data?.posterUrl ?? undefined}
        playsInline
        preload="metadata"
        onClick={toggle}
        onLoadedMetadata={known}
        onDurationChange={(event) => Number.isFinite(event.currentTarget.duration) && setLength(event.currentTarget.duration)}
        onPlay={() => setPlaying(true)}
        onPause={() => setPlaying(false)}
        onVolumeChange={(event) => setMuted(event.currentTarget.muted)}
        onTimeUpdate={(event) => {
          setNow(event.currentTarget.currentTime);
          onTime(event.currentTarget.currentTime);
        }}
      >
        {addresses.data?.captionsUrl ? (
          <track kind="captions" src={addresses.data.captionsUrl} label="Captions" srcLang={language} default />
        ) : null}
      </video>
      <div className="controls" role="group" aria-label="Player">
        <SeekBar
          now={now}
          length={length}
          chapters={video.chapters}
          thumbnails={addresses.data?.thumbnailsUrl}
          onSeek={seek}
        />
        <button type="button" onClick={toggle} disabled={!way}>
          {playing ? "Pause" : "Play"}
        </button>
        <span className="clock" aria-hidden="true">
          {clock(now)} / {clock(length)}
        </span>
        <button type="button" aria-pressed={muted} onClick={mute}>
          Mute
        </button>
        {addresses.data?.captionsUrl ? (
          <button type="button" aria-pressed={captions} onClick={() => setCaptions(!captions)}>
            Captions
          </button>
        ) : null}
        <label className="pace">
          <span>Speed</span>
          <select value={speed} onChange={(event) => pace(Number(event.currentTarget.value))}>
            {SPEEDS.map((value) => (
              <option key={value} value={value}>
                {value}×
              </option>
            ))}
          </select>
        </label>
        <button type="button" onClick={full}>
          Full screen
        </button>
        <button type="button" className="quiet" onClick={() => keys.current?.showModal()}>
          Keys
        </button>
      </div>
      {resumed !== null ? (
        <p role="status">
          Goes on at {clock(resumed)}, where you left.{" "}
          <button
            type="button"
            onClick={() => {
              seek(0);
              setResumed(null);
            }}
          >
            From the start
          </button>
        </p>
      ) : null}
      <KeysDialog box={keys} keys={KEYS} on={on} turn={turn} />
    </div>
  );
}
