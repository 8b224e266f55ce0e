/** A recording with its player, chapters and a transcript that follows it. */
import { useQuery } from "@tanstack/react-query";
import { useCallback, useMemo, useRef, useState } from "react";
import { Link } from "react-router";
import { api, take, type Schemas } from "../../api/client";
import { clock, type Place } from "../../api/place";
import { Problem, Waiting } from "../../ui/state";
import { Embedded } from "./embedded";
import { Player, type Seekable } from "./player";
import { TranscriptList } from "./transcript-list";

interface Props {
  course: string;
  lesson: string;
  video: Schemas["VideoContent"];
  at: Place | null;
}

export function Recording({ course, lesson, video, at }: Props) {
  const player = useRef<Seekable>(null);
  const [now, setNow] = useState(-1);
  const transcript = useQuery({
    queryKey: ["transcript", lesson],
    queryFn: () => take(api.GET("/api/v1/content/{id}/transcript", { params: { path: { id: lesson } } })),
  });
  const { cues, editable, notCarried } = transcript.data?.data.attributes ?? {};
  const start = at?.kind === "time" ? at.start : null;
  const seek = useCallback((time: number) => player.current?.seek(time), []);
  const current = useMemo(() => {
    const all = cues ?? [];
    let found = -1;
    for (let index = 0; index < all.length && (all[index]?.start ?? Infinity) <= now; index++) found = index;
    return found >= 0 && now < (all[found]?.end ?? 0) ? found : -1;
  }, [cues, now]);
  return (
    <div>
      {video.url ? (
        <Player lesson={lesson} video={video} start={start} handle={player} onTime={setNow} />
      ) : video.player ? (
        <Embedded site={video.player} title="The recording" start={start} handle={player} />
      ) : null}
      {video.chapters.length > 0 ? (
        <section aria-labelledby="chapters">
          <h2 id="chapters">Chapters</h2>
          {video.chaptersBy === "topics" ? (
            <p className="quiet">Found by the topics of the transcript; titles are its words.</p>
          ) : null}
          <ol className="chapters">
            {video.chapters.map((chapter) => (
              <li key={chapter.start}>
                <button
                  type="button"
                  onClick={() => seek(chapter.start)}
                  aria-current={chapter.start <= now && now < chapter.end ? "true" : undefined}
                >
                  <span className="clock">{clock(chapter.start)}</span> {chapter.title}
                </button>
              </li>
            ))}
          </ol>
        </section>
      ) : null}
      <h2>Transcript</h2>
      {transcript.isLoading ? <Waiting what="the transcript" /> : null}
      {transcript.isError ? (
        <Problem title="The transcript cannot be shown" error={transcript.error} retry={() => void transcript.refetch()} />
      ) : null}
      {editable ? (
        <p>
          <Link to={`/courses/${course}/lessons/${lesson}/transcript`}>Correct the transcript</Link>
          {notCarried?.length ? ` – ${notCarried.length} corrections have no place in the new captions` : null}
        </p>
      ) : null}
      {cues ? <TranscriptList cues={cues} current={current} at={at} onSeek={seek} /> : null}
    </div>
  );
}
