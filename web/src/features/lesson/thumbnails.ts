/** Pictures for the seek bar: a WebVTT file that names a part of a sheet for each span of time. */
import { cues } from "../../api/cues";

export interface Thumbnail {
  start: number;
  end: number;
  url: string;
  x: number;
  y: number;
  width: number;
  height: number;
}

export function thumbnails(text: string, address: string): Thumbnail[] {
  const folder = address.slice(0, address.lastIndexOf("/") + 1);
  return cues(text).flatMap(({ start, end, text }) => {
    const match = /^([\w.-]+\.jpg)#xywh=(\d+),(\d+),(\d+),(\d+)$/.exec(text);
    if (!match) return [];
    const [x = 0, y = 0, width = 0, height = 0] = match.slice(2).map(Number);
    return [{ start, end, url: `${folder}${match[1]}`, x, y, width, height }];
  });
}
