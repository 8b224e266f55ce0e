import { expect, test } from "vitest";
import { count, fault, joined, replaced, rows, seconds, split, stamp } from "./lines";

const all = rows([
  { start: 0, end: 4, text: "the see is deep" },
  { start: 4, end: 6, text: "a see breeze" },
]);

test("times are written and read back", () => {
  expect(stamp(3723.4)).toBe("62:03.400");
  expect(seconds("62:03.4")).toBe(3723.4);
  expect(seconds("1:02:03,400")).toBe(3723.4);
  for (const bad of ["", "7", "1:75", "a:10", "1:2:3:4"]) expect(seconds(bad)).toBeNull();
});

test("words are counted and replaced in their exact spelling", () => {
  expect(count(all, "see")).toBe(2);
  expect(count(all, "")).toBe(0);
  expect(replaced(all, "see", "sea").map(({ text }) => text)).toEqual(["the sea is deep", "a sea breeze"]);
});

test("a line is cut where the cursor stands and joined again", () => {
  const cut = split(all, 0, 7);
  expect(cut.map(({ start, end, text }) => [start, end, text])).toEqual([
    [0, 1.867, "the see"],
    [1.867, 4, "is deep"],
    [4, 6, "a see breeze"],
  ]);
  expect(new Set(cut.map(({ key }) => key)).size).toBe(3);
  expect(joined(cut, 0)[0]).toMatchObject({ start: 0, end: 4, text: "the see is deep" });
  expect(split(all, 0, 0)).toEqual(all);
});

test("a line that cannot be kept says why", () => {
  const [first, second] = all;
  if (!first || !second) throw new Error("two lines");
  expect(fault(first, undefined)).toBeNull();
  expect(fault({ ...first, text: " " }, undefined)).toBe("has no words");
  expect(fault({ ...first, end: 0 }, undefined)).toBe("ends before it begins");
  expect(fault(first, second)).toBe("begins before the line above");
});
