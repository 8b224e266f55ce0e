import { expect, it } from "vitest";
import { number } from "./number";

it("reads numbers as people write them, and nothing else", () => {
  expect(number(" 44.1 ")).toBe(44.1);
  expect(number("44,1")).toBe(44.1);
  expect(number("-3")).toBe(-3);
  expect(number("1e3")).toBe(1000);
  expect(number("48 000")).toBe(48_000);
  for (const odd of ["", "44,1x", "1,000,000", "12,", "NaN", "Infinity", "0x10"]) expect(number(odd)).toBeNull();
});
