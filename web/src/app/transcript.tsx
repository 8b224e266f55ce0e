/** The page for corrections with the player of the lesson. The features do not know each other; this page joins them. */
import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { api, take } from "../api/client";
import { Embedded } from "../features/lesson/embedded";
import { Player, type Seekable } from "../features/lesson/player";
import { TranscriptPage } from "../features/transcript/transcript-page";

const nothing = () => undefined;

function Shown({ lesson, tell }: { lesson: string; tell: (seek: (time: number) => void) => void }) {
  const handle = useRef<Seekable>(null);
  const content = useQuery({
    queryKey: ["lesson", lesson],
    queryFn: () => take(api.GET("/api/v1/content/{id}", { params: { path: { id: lesson } } })),
  });
  useEffect(() => tell((time) => handle.current?.seek(time)), [tell]);
  const video = content.data?.data.attributes.video;
  if (video?.url) return <Player lesson={lesson} video={video} start={null} handle={handle} onTime={nothing} />;
  if (video?.player) return <Embedded site={video.player} title="The recording" start={null} handle={handle} />;
  return null;
}

export function Transcript() {
  return <TranscriptPage player={(lesson, tell) => <Shown lesson={lesson} tell={tell} />} />;
}
