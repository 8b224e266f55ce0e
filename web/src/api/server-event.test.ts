import { expect, test } from "vitest";
import { cut } from "./server-event";

test("an event that is cut off waits for its rest", () => {
  const { events, rest } = cut('id: 1\nevent: delta\ndata: {"text":"a"}\n\nevent: do');
  expect(events).toEqual([{ name: "delta", data: '{"text":"a"}' }]);
  expect(rest).toBe("event: do");
});

test("heartbeats are no events", () => {
  expect(cut(": heartbeat\n\n").events).toEqual([]);
});
