/** Where the player is: a slider with the begins of chapters, and a picture of the second under the pointer. */
import { useQuery } from "@tanstack/react-query";
import { useState, type PointerEvent } from "react";
import { raw, type Schemas } from "../../api/client";
import { clock } from "../../api/place";
import { thumbnails as read, type Thumbnail } from "./thumbnails";

interface Props {
  now: number;
  length: number;
  chapters: Schemas["ChapterAttributes"][];
  thumbnails: string | null | undefined;
  onSeek: (time: number) => void;
}

function useThumbnails(address: string | null | undefined): Thumbnail[] {
  const found = useQuery({
    queryKey: ["thumbnails", address],
    queryFn: async () => read(await (await raw(address ?? "")).text(), address ?? ""),
    enabled: Boolean(address),
    staleTime: Infinity,
  });
  return found.data ?? [];
}

export function SeekBar({ now, length, chapters, thumbnails, onSeek }: Props) {
  const [over, setOver] = useState<{ time: number; share: number } | null>(null);
  const [touched, setTouched] = useState(false);
  // Pictures are fetched once somebody looks for a place.
  const pictures = useThumbnails(touched ? thumbnails : null);
  const point = (event: PointerEvent<HTMLDivElement>) => {
    const { left, width } = event.currentTarget.getBoundingClientRect();
    const share = Math.max(0, Math.min(1, (event.clientX - left) / Math.max(1, width)));
    setTouched(true);
    setOver({ time: share * length, share });
  };
  const picture = over ? pictures.find(({ start, end }) => start <= over.time && over.time < end) : undefined;
  const chapter = (time: number) => chapters.find(({ start, end }) => start <= time && time < end)?.title;
  const said = `${clock(now)} of ${clock(length)}${chapter(now) ? `, ${chapter(now)}` : ""}`;
  return (
    <div className="seek" onPointerMove={point} onPointerLeave={() => setOver(null)}>
      <input
        type="range"
        min={0}
        max={Math.max(length, 0.1)}
        step={0.1}
        value={Math.min(now, Math.max(length, 0.1))}
        aria-label="Position"
        aria-valuetext={said}
        onChange={(event) => onSeek(Number(event.currentTarget.value))}
      />
      {length > 0
        ? chapters
            .filter(({ start }) => start > 0 && start < length)
            .map(({ start }) => <i key={start} style={{ left: `${(100 * start) / length}%` }} />)
        : null}
      {over && length > 0 ? (
        <div className="preview" aria-hidden="true" style={{ left: `${100 * over.share}%` }}>
          {picture ? (
            <span
              className="picture-of"
              style={{
                width: picture.width,
                height: picture.height,
                backgroundImage: `url("${picture.url}")`,
                backgroundPosition: `-${picture.x}px -${picture.y}px`,
              }}
            />
          ) : null}
          {clock(over.time)} {chapter(over.time)}
        </div>
      ) : null}
    </div>
  );
}
