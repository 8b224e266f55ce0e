import { expect, test } from "vitest";
import { standingInWords } from "./words";

test("a standing says what is known and whose word it is", () => {
  const none = { completion: "unknown", success: "unknown", scaled: null, raw: null };
  expect(standingInWords(none)).toBe("Begun");
  expect(standingInWords({ ...none, completion: "incomplete" })).toBe("In progress (as the package reports)");
  expect(standingInWords({ completion: "completed", success: "passed", scaled: 0.855, raw: 85.5 })).toBe(
    "Passed, Completed, score 85.5 (as the package reports)",
  );
  expect(standingInWords({ ...none, success: "failed", scaled: 0.5 })).toBe(
    "Not passed, score 50 % (as the package reports)",
  );
});
