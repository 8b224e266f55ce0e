import { expect, test } from "vitest";
import { cues, webVtt } from "./cues";

const VTT = "WEBVTT\n\nNOTE a note --- no cue\n\n1\n00:00:00.600 --> 00:00:03.842 align:start\nEvery <i>second</i>\nof music\n\n";

test("cues are read without their notes, numbers, settings and tags", () => {
  expect(cues(VTT)).toEqual([{ start: 0.6, end: 3.842, text: "Every second of music" }]);
});

test("SubRip is read like WebVTT", () => {
  expect(cues("1\r\n01:02:03,500 --> 01:02:04,000\r\nwords\r\n")).toEqual([{ start: 3723.5, end: 3724, text: "words" }]);
});

test("what is written for the player reads back", () => {
  const all = cues(VTT);
  expect(cues(webVtt(all))).toEqual(all);
  expect(webVtt([{ start: 0, end: 1, text: "a < b" }])).toContain("a &lt; b");
});
