import { expect, it } from "vitest";
import { complete, inWords, sourceLink, type Asked } from "./question";

const item = (id: string) => ({ id, text: `text ${id}` });
const matching: Asked = { id: "q", stem: "?", type: "matching", left: [item("a"), item("b")], right: [item("x"), item("y")] };

it("calls an answer complete when nothing is left open", () => {
  expect(complete(matching, undefined)).toBe(false);
  expect(complete(matching, { type: "pairs", pairs: [["a", "x"]] })).toBe(false);
  expect(complete(matching, { type: "pairs", pairs: [["a", "x"], ["b", "y"]] })).toBe(true);
  expect(complete({ type: "cloze", parts: ["", "", ""] }, { type: "blanks", texts: ["one", " "] })).toBe(false);
  expect(complete({ type: "true_false" }, { type: "truth", value: false })).toBe(true);
  expect(complete({ type: "essay", least_words: null }, { type: "text", text: " \n" })).toBe(false);
});

it("says an answer with the texts of what it names", () => {
  expect(inWords(matching, { type: "pairs", pairs: [["a", "y"]] })).toEqual(["text a = text y"]);
  expect(inWords(undefined, { type: "choice", option: "a" })).toEqual(["a"]);
  expect(inWords(undefined, { type: "number", value: 44.1, unit: "kHz" })).toEqual(["44.1 kHz"]);
  expect(inWords(undefined, null)).toEqual([]);
});

it("names the place of a source in its address", () => {
  const source = { sourcePath: "a b.md", headingPath: [], locator: { kind: "lines", start: 3, end: 7 }, quote: "x & y" };
  expect(sourceLink("c", source)).toBe("/courses/c/source?path=a+b.md&at=lines%3A3-7&quote=x+%26+y");
});
