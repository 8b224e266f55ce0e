import { expect, test, vi } from "vitest";
import type { Batch, Kept, Outcome, Shelf } from "./outbox";

vi.stubGlobal("window", { location: { origin: "http://school" } });
const { Refused } = await import("../../api/client");
const { kept, Outbox } = await import("./outbox");

function shelf(): Shelf & { all: Map<string, string> } {
  const all = new Map<string, string>();
  return {
    all,
    getItem: (name) => all.get(name) ?? null,
    setItem: (name, text) => void all.set(name, text),
    removeItem: (name) => void all.delete(name),
    key: (n) => [...all.keys()][n] ?? null,
    get length() {
      return all.size;
    },
  };
}

const session = (): Kept => ({
  user: "leo",
  lesson: "l",
  attempt: "a",
  revision: 2,
  nonce: "0123456789abcdef",
  batches: [],
});
const outcome = { refused: [] } as unknown as Outcome;

test("batches arrive once, in order, with rising numbers", async () => {
  const sent: Batch[] = [];
  const store = shelf();
  const box = new Outbox(store, session(), async (_, batch) => (sent.push(batch), outcome), () => {});
  box.set({ element: "a", value: "1" });
  box.flush();
  box.set({ element: "a", value: "2" });
  box.set({ element: "b", value: "3" });
  box.flush(true);
  expect(await box.settle()).toBe(true);
  expect(sent.map(({ sequence, values, terminate }) => [sequence, values.length, terminate])).toEqual([
    [1, 1, false],
    [2, 2, true],
  ]);
  expect(new Set(sent.map(({ key }) => key)).size).toBe(2);
  expect(box.state.name).toBe("saved");
  expect(store.all.size).toBe(0);
});

test("what the network swallows is kept in the browser and sent again with the same key", async () => {
  const store = shelf();
  const keys: string[] = [];
  let away = true;
  const send = async (_: Kept, batch: Batch) => {
    keys.push(batch.key);
    if (away) throw new TypeError("no network");
    return outcome;
  };
  const box = new Outbox(store, session(), send, () => {}, 1);
  box.set({ element: "a", value: "1" });
  box.flush();
  await expect.poll(() => box.state.name).toBe("waiting");
  box.stop();
  expect(kept(store, "ann")).toEqual([]);
  const [before] = kept(store, "leo");
  expect(before?.batches).toHaveLength(1);
  away = false;
  const later = new Outbox(store, before as Kept, send, () => {}, 1);
  expect(await later.settle()).toBe(true);
  expect(new Set(keys).size).toBe(1);
  expect(kept(store, "leo")).toEqual([]);
});

test("a refusal ends the session and is told", async () => {
  const store = shelf();
  const send = async () => {
    throw new Refused("opened elsewhere", 409);
  };
  const box = new Outbox(store, session(), send, () => {});
  box.set({ element: "a", value: "1" });
  box.flush();
  await expect.poll(() => box.state).toEqual({ name: "refused", message: "opened elsewhere" });
  expect(store.all.size).toBe(0);
});

test("much is sent in several batches", async () => {
  const sizes: number[] = [];
  const send = async (_: Kept, batch: Batch) => (sizes.push(batch.values.length), outcome);
  const box = new Outbox(shelf(), session(), send, () => {});
  for (let n = 0; n < 900; n += 1) box.set({ element: `cmi.interactions.${n}.id`, value: "x" });
  expect(await box.settle()).toBe(true);
  expect(sizes).toEqual([400, 400, 100]);
});
