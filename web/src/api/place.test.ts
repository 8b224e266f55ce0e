import { expect, test } from "vitest";
import { inWords, overlap, parsed, written } from "./place";

test("a place survives its address", () => {
  const place = { kind: "time", start: 12.5, end: 20 };
  expect(parsed(written(place))).toEqual(place);
  expect(parsed("time:a-b")).toBeNull();
  expect(parsed(null)).toBeNull();
});

test("places are said as people say them", () => {
  expect(inWords({ kind: "lines", start: 3, end: 3 })).toBe("line 3");
  expect(inWords({ kind: "time", start: 61, end: 75.2 })).toBe("01:01–01:15");
});

test("places of different kinds do not overlap", () => {
  expect(overlap({ kind: "page", start: 1, end: 2 }, { kind: "lines", start: 1, end: 2 })).toBe(false);
  expect(overlap({ kind: "page", start: 1, end: 2 }, { kind: "page", start: 2, end: 3 })).toBe(true);
});
