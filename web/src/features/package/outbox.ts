/**
 * What a package set, on its way to the server: in order, numbered, kept in the browser until the server has it. A
 * batch is sent with the same key however often; what the network swallowed is sent again, also after a reload.
 */
import { Refused } from "../../api/client";
import type { Schemas } from "../../api/client";

export interface Value {
  element: string;
  value: string;
}

export interface Batch {
  key: string;
  sequence: number;
  values: Value[];
  terminate: boolean;
}

/** A session's unsent batches, as they are kept. */
export interface Kept {
  user: string;
  lesson: string;
  attempt: string;
  revision: number;
  nonce: string;
  batches: Batch[];
}

export type Outcome = Schemas["ScormOutcomeAttributes"];
export type Send = (kept: Kept, batch: Batch, hiding: boolean) => Promise<Outcome>;
export type Shelf = Pick<Storage, "getItem" | "setItem" | "removeItem" | "key" | "length">;

export type State =
  | { name: "idle" | "saving" | "saved" | "waiting" }
  /** The server did not take it, and never will. */
  | { name: "refused"; message: string };

const PREFIX = "lyceum.package.";
const MOST_VALUES = 400;
const MOST_LETTERS = 60_000;
/** What is not sent may grow so far; the server keeps less of an attempt. */
const MOST_KEPT = 2_000_000;
const LONGEST_PAUSE = 20_000;

/** The sessions of a user with something that was never sent. */
export function kept(shelf: Shelf, user: string): Kept[] {
  const all: Kept[] = [];
  for (let n = 0; n < shelf.length; n += 1) {
    const name = shelf.key(n);
    if (!name?.startsWith(PREFIX)) continue;
    try {
      const one = JSON.parse(shelf.getItem(name) ?? "") as Kept;
      if (one.user === user && one.batches.length > 0) all.push(one);
    } catch {
      // What cannot be read cannot be sent.
      shelf.removeItem(name);
    }
  }
  return all;
}

/** Whether another try may be answered otherwise. */
function again(error: unknown): boolean {
  return !(error instanceof Refused) || error.status >= 500 || error.status === 429 || error.status === 401;
}

export class Outbox {
  state: State = { name: "idle" };
  private readonly listeners = new Set<() => void>();
  private values: Value[] = [];
  private sequence = 0;
  private letters = 0;
  private running = false;
  private failures = 0;
  private timer: ReturnType<typeof setTimeout> | null = null;

  constructor(
    private readonly shelf: Shelf,
    private readonly session: Kept,
    private readonly send: Send,
    private readonly onOutcome: (outcome: Outcome) => void,
    private readonly pause = 1_000,
  ) {
    this.sequence = session.batches.at(-1)?.sequence ?? 0;
  }

  subscribe = (listener: () => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** Whether anything has not reached the server. */
  get dirty(): boolean {
    return this.values.length > 0 || this.session.batches.length > 0;
  }

  set(value: Value) {
    if (this.state.name === "refused") return;
    this.values.push(value);
    this.letters += value.element.length + value.value.length;
    if (this.letters > MOST_KEPT) {
      this.refuse("the package sets more than can be kept");
      return;
    }
    if (this.state.name !== "waiting") this.show({ name: "saving" });
  }

  /** Makes a batch, or several, of what was set, and sends. */
  flush(terminate = false, hiding = false) {
    if (this.state.name === "refused") return;
    while (this.values.length > 0 || terminate) {
      let [count, letters] = [0, 0];
      for (const { element, value } of this.values) {
        letters += element.length + value.length;
        if (count > 0 && (letters > MOST_LETTERS || count >= MOST_VALUES)) break;
        count += 1;
      }
      const values = this.values.splice(0, count);
      const last = this.values.length === 0;
      this.sequence += 1;
      const key = `${this.session.revision}-${this.sequence}-${this.session.nonce.slice(0, 8)}`;
      this.session.batches.push({ key, sequence: this.sequence, values, terminate: terminate && last });
      if (last) break;
    }
    this.letters = JSON.stringify(this.session.batches).length;
    this.keep();
    void this.go(hiding);
  }

  /** Sends at once; tells whether everything arrived within the time. */
  async settle(patience = 8_000): Promise<boolean> {
    const end = Date.now() + patience;
    this.flush();
    while (this.dirty && this.state.name !== "refused" && Date.now() < end) {
      await new Promise((wake) => setTimeout(wake, 40));
    }
    return !this.dirty;
  }

  /** Tries now, as when the network is back. */
  retry() {
    this.failures = 0;
    void this.go(false);
  }

  stop() {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
  }

  private keep() {
    const name = PREFIX + this.session.attempt;
    try {
      if (this.session.batches.length === 0) this.shelf.removeItem(name);
      else this.shelf.setItem(name, JSON.stringify(this.session));
    } catch {
      // A full or closed store: what is not sent lives as long as this page.
    }
  }

  private refuse(message: string) {
    this.values = [];
    this.session.batches = [];
    this.keep();
    this.show({ name: "refused", message });
  }

  private show(state: State) {
    this.state = state;
    for (const listener of this.listeners) listener();
  }

  private async go(hiding: boolean) {
    if (this.running) return;
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
    this.running = true;
    try {
      for (let batch = this.session.batches[0]; batch; batch = this.session.batches[0]) {
        if (this.failures === 0) this.show({ name: "saving" });
        const outcome = await this.send(this.session, batch, hiding);
        this.failures = 0;
        this.session.batches.shift();
        this.keep();
        this.onOutcome(outcome);
      }
      this.letters = 0;
      if (this.state.name !== "refused") this.show({ name: this.values.length > 0 ? "saving" : "saved" });
    } catch (error) {
      if (again(error)) {
        this.failures += 1;
        this.show({ name: "waiting" });
        const wait = Math.min(this.pause * 2 ** (this.failures - 1), LONGEST_PAUSE);
        this.timer = setTimeout(() => void this.go(false), wait);
      } else {
        this.refuse(error instanceof Error ? error.message : "the server refused it");
      }
    } finally {
      this.running = false;
    }
  }
}
