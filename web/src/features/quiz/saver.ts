/**
 * Saves the answers of one attempt: one request a question at a time, numbers that rise, and another try
 * after a failure, so that what is on the screen reaches the server or the learner is told that it did not.
 */
import { Refused } from "../../api/client";
import type { Answered } from "../../api/question";

export type SaveState = "idle" | "saving" | "saved" | "retrying" | "refused" | "elsewhere";

export interface Saving {
  state: SaveState;
  message?: string;
}

interface Slot {
  seq: number;
  /** Not yet sent. */
  waiting: Answered | null;
  running: boolean;
  failures: number;
  timer: ReturnType<typeof setTimeout> | null;
  shown: Saving;
}

export type Send = (question: string, seq: number, answered: Answered) => Promise<boolean>;

const LONGEST_PAUSE = 15_000;
const IDLE: Saving = { state: "idle" };

/** A refusal stays one, except where the server asks for patience. */
function final(error: unknown): error is Refused {
  return error instanceof Refused && error.status < 500 && error.status !== 429;
}

export class Saver {
  private readonly slots = new Map<string, Slot>();
  private readonly listeners = new Set<() => void>();
  private ended = false;

  constructor(
    private readonly send: Send,
    private readonly pause = 1_000,
  ) {}

  /** Where the numbers of a question go on from. */
  begin(question: string, seq: number | null | undefined) {
    if (this.slots.has(question)) return;
    const shown: Saving = typeof seq === "number" ? { state: "saved" } : IDLE;
    this.slots.set(question, { seq: seq ?? 0, waiting: null, running: false, failures: 0, timer: null, shown });
  }

  set(question: string, answered: Answered, delay: number) {
    this.begin(question, null);
    const slot = this.slots.get(question);
    if (!slot || this.ended) return;
    slot.waiting = answered;
    slot.failures = 0;
    this.show(slot, { state: "saving" });
    this.later(question, slot, delay);
  }

  state(question: string): Saving {
    return this.slots.get(question)?.shown ?? IDLE;
  }

  /** Whether an answer has not reached the server yet. */
  get dirty(): boolean {
    return [...this.slots.values()].some((slot) => slot.running || slot.waiting !== null);
  }

  /** Sends at once what waits; tells whether everything was saved within the time. */
  async flush(patience = 8_000): Promise<boolean> {
    const end = Date.now() + patience;
    for (const [question, slot] of this.slots) if (slot.waiting && !slot.running) this.later(question, slot, 0);
    while (this.dirty && Date.now() < end) await new Promise((wake) => setTimeout(wake, 40));
    return !this.dirty;
  }

  /** Nothing is sent any more. */
  stop() {
    this.ended = true;
    for (const slot of this.slots.values()) if (slot.timer) clearTimeout(slot.timer);
  }

  subscribe = (listener: () => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  private show(slot: Slot, next: Saving) {
    if (slot.shown.state === next.state && slot.shown.message === next.message) return;
    slot.shown = next;
    for (const listener of this.listeners) listener();
  }

  private later(question: string, slot: Slot, delay: number) {
    if (slot.timer) clearTimeout(slot.timer);
    slot.timer = setTimeout(() => void this.go(question, slot), delay);
  }

  private async go(question: string, slot: Slot) {
    slot.timer = null;
    if (slot.running || slot.waiting === null || this.ended) return;
    const answered = slot.waiting;
    slot.waiting = null;
    slot.running = true;
    slot.seq += 1;
    try {
      const newest = await this.send(question, slot.seq, answered);
      slot.failures = 0;
      if (slot.waiting === null) this.show(slot, { state: newest ? "saved" : "elsewhere" });
    } catch (error) {
      if (final(error)) {
        if (slot.waiting === null) this.show(slot, { state: "refused", message: error.message });
      } else {
        // What was typed meanwhile replaces what did not arrive.
        slot.waiting ??= answered;
        slot.failures += 1;
        this.show(slot, { state: "retrying" });
      }
    } finally {
      slot.running = false;
    }
    if (slot.waiting !== null && !this.ended && !slot.timer) {
      this.later(question, slot, slot.failures ? Math.min(this.pause * 2 ** (slot.failures - 1), LONGEST_PAUSE) : 0);
    }
  }
}
