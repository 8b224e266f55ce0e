/** Tells the server where a learner is in a recording: at a pause, at the end, on leaving, and now and then. */
import { useEffect, type RefObject } from "react";
import { raw } from "../../api/client";

const EVERY_MS = 60_000;

export function useKeepPlace(element: RefObject<HTMLVideoElement | null>, lesson: string, keeps: boolean) {
  useEffect(() => {
    const video = element.current;
    if (!video || !keeps) return;
    let told = -1;
    const tell = () => {
      const seconds = Math.round(video.currentTime * 10) / 10;
      // Nothing was played yet, or nothing since.
      if (video.played.length === 0 || seconds === told) return;
      told = seconds;
      // One that is lost is made good by the next.
      raw(`/api/v1/content/${lesson}/position`, {
        method: "PUT",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ seconds }),
        keepalive: true,
      }).catch(() => undefined);
    };
    const hidden = () => document.visibilityState === "hidden" && tell();
    const timer = setInterval(() => !video.paused && tell(), EVERY_MS);
    video.addEventListener("pause", tell);
    video.addEventListener("ended", tell);
    document.addEventListener("visibilitychange", hidden);
    return () => {
      clearInterval(timer);
      video.removeEventListener("pause", tell);
      video.removeEventListener("ended", tell);
      document.removeEventListener("visibilitychange", hidden);
      tell();
    };
  }, [element, lesson, keeps]);
}
