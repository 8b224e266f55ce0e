import { expect, it } from "vitest";
import { inClock, warning } from "./clock";

it("shows minutes and seconds, and hours where there are any", () => {
  expect(inClock(65)).toBe("1:05");
  expect(inClock(3_725)).toBe("1:02:05");
  expect(inClock(-3)).toBe("0:00");
});

it("warns once at five minutes, once at one minute and at the end", () => {
  expect(warning(301, 300)).toContain("Five minutes");
  expect(warning(300, 299)).toBeNull();
  expect(warning(60.5, 59.5)).toContain("One minute");
  expect(warning(0.5, -0.5)).toContain("over");
  expect(warning(-1, -2)).toBeNull();
});
