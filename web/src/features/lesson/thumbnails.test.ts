import { expect, test } from "vitest";
import { thumbnails } from "./thumbnails";

test("thumbnails are read with the place in their sheet", () => {
  const text = "WEBVTT\n\n00:00:00.000 --> 00:00:10.000\nthumbnails-001.jpg#xywh=0,0,160,90\n\n00:10.000 --> 00:20.000\nthumbnails-001.jpg#xywh=160,0,160,90\n";
  expect(thumbnails(text, "/api/v1/streams/t/thumbnails.vtt")).toEqual([
    { start: 0, end: 10, url: "/api/v1/streams/t/thumbnails-001.jpg", x: 0, y: 0, width: 160, height: 90 },
    { start: 10, end: 20, url: "/api/v1/streams/t/thumbnails-001.jpg", x: 160, y: 0, width: 160, height: 90 },
  ]);
  expect(thumbnails("WEBVTT\n\n00:00.000 --> 00:10.000\nhttps://elsewhere/a.jpg#xywh=0,0,1,1\n", "/a/b.vtt")).toEqual([]);
});
