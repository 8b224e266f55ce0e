/** Feeds a video element: HLS by hls.js or by the browser itself, else the recording by range. */
import { useQuery } from "@tanstack/react-query";
import type Hls from "hls.js";
import { useEffect, useState, type RefObject } from "react";
import { api, take, type Schemas } from "../../api/client";

export type Addresses = Schemas["StreamingAttributes"];
export type Way = "hls" | "native" | "range";

/** Addresses that stand for the learner; they are asked again when they have expired. */
export function useAddresses(lesson: string) {
  return useQuery({
    queryKey: ["streaming", lesson],
    queryFn: async () => {
      const answer = await take(api.GET("/api/v1/content/{id}/streaming-url", { params: { path: { id: lesson } } }));
      return answer.data.attributes;
    },
    staleTime: Infinity,
    gcTime: 0,
    refetchOnReconnect: false,
  });
}

interface Feed {
  way: Way | null;
  failed: string | null;
}

/** Puts the streams into the element. `again` is called when the addresses have to be asked anew. */
export function useFeed(element: RefObject<HTMLVideoElement | null>, addresses: Addresses | undefined, again: () => void): Feed {
  const [feed, setFeed] = useState<Feed>({ way: null, failed: null });
  useEffect(() => {
    const video = element.current;
    if (!video || !addresses) return;
    let gone = false;
    let hls: Hls | undefined;
    let mended = 0;
    const took = (way: Way) => !gone && setFeed({ way, failed: null });
    const gaveUp = (failed: string) => !gone && setFeed({ way: null, failed });
    const byRange = () => {
      if (gone) return;
      hls?.destroy();
      hls = undefined;
      if (!addresses.mediaUrl) return gaveUp("The streams of this recording cannot be played in this browser.");
      video.src = addresses.mediaUrl;
      took("range");
    };
    const onError = () => {
      if (gone || hls || !video.error) return;
      if (Date.parse(addresses.expiresAt) <= Date.now()) again();
      else if (addresses.mediaUrl && !video.src.endsWith(addresses.mediaUrl)) byRange();
      else gaveUp("This browser cannot play the recording.");
    };
    video.addEventListener("error", onError);
    const { hlsUrl } = addresses;
    if (!hlsUrl) byRange();
    else
      import("hls.js")
        .then(({ default: Hls }) => {
          if (gone) return;
          if (!Hls.isSupported()) {
            if (!video.canPlayType("application/vnd.apple.mpegurl")) return byRange();
            video.src = hlsUrl;
            return took("native");
          }
          // No worker: its script would be a blob, which the policy of these pages refuses; fMP4 needs little work.
          // Captions are a track of the page, which knows corrections.
          hls = new Hls({ enableWorker: false, enableWebVTT: false, renderTextTracksNatively: false });
          hls.on(Hls.Events.ERROR, (_, { fatal, type, response }) => {
            if (!fatal || gone) return;
            if (response?.code === 401) again();
            else if (type === Hls.ErrorTypes.MEDIA_ERROR && mended++ < 2) hls?.recoverMediaError();
            else byRange();
          });
          hls.loadSource(hlsUrl);
          hls.attachMedia(video);
          took("hls");
        })
        .catch(byRange);
    return () => {
      gone = true;
      video.removeEventListener("error", onError);
      hls?.destroy();
      video.removeAttribute("src");
      video.load();
    };
  }, [element, addresses, again]);
  return feed;
}
