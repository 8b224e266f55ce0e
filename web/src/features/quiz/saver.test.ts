import { beforeEach, describe, expect, it, vi } from "vitest";

vi.stubGlobal("window", { location: { origin: "http://school" } });
const { Refused } = await import("../../api/client");
const { Saver } = await import("./saver");
type Answered = import("../../api/question").Answered;

const text = (text: string): Answered => ({ type: "text", text });

describe("the saver", () => {
  let sent: [string, number, Answered][] = [];
  beforeEach(() => {
    sent = [];
  });

  it("goes on from the stored number and sends the last of several changes", async () => {
    const saver = new Saver((question, seq, answered) => {
      sent.push([question, seq, answered]);
      return Promise.resolve(true);
    });
    saver.begin("q", 4);
    expect(saver.state("q").state).toBe("saved");
    saver.set("q", text("a"), 5);
    saver.set("q", text("ab"), 5);
    expect(saver.state("q").state).toBe("saving");
    expect(saver.dirty).toBe(true);
    expect(await saver.flush()).toBe(true);
    expect(sent).toEqual([["q", 5, text("ab")]]);
    expect(saver.state("q").state).toBe("saved");
  });

  it("tries again with a higher number, and says so meanwhile", async () => {
    let away = true;
    const saver = new Saver((question, seq, answered) => {
      sent.push([question, seq, answered]);
      return away ? Promise.reject(new TypeError("away")) : Promise.resolve(true);
    }, 20);
    saver.set("q", text("a"), 0);
    expect(await saver.flush(15)).toBe(false);
    expect(saver.state("q").state).toBe("retrying");
    away = false;
    expect(await saver.flush()).toBe(true);
    const numbers = sent.map(([, seq]) => seq);
    expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
    expect(saver.state("q").state).toBe("saved");
  });

  it("does not repeat what the server refuses, and tells of a newer answer", async () => {
    const saver = new Saver((question) =>
      question === "q" ? Promise.reject(new Refused("the time is over", 409)) : Promise.resolve(false),
    );
    saver.set("q", text("a"), 0);
    saver.set("p", text("a"), 0);
    expect(await saver.flush()).toBe(true);
    expect(saver.state("q")).toEqual({ state: "refused", message: "the time is over" });
    expect(saver.state("p").state).toBe("elsewhere");
  });
});
