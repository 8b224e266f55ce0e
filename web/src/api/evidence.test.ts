import { describe, expect, it } from "vitest";
import { holds, pieces } from "./evidence";

const bytes = (text: string) => new TextEncoder().encode(text).length;

/** Evidence for a quote of a text, with the offsets that the server would give. */
function found(text: string, quote: string) {
  const start = bytes(text.slice(0, text.indexOf(quote)));
  return { start, end: start + bytes(quote), quote };
}

const TEXT = "Café 🎧: höhere Töne werden gefaltet 👩‍🔬, naïve Messung hört sie nicht.";

describe("evidence", () => {
  it("is cut by bytes where accents and emoji stand before it", () => {
    const quote = found(TEXT, "werden gefaltet 👩‍🔬");
    expect(quote.start).not.toBe(TEXT.indexOf("werden"));
    const cut = pieces(TEXT, [{ name: "what", evidence: [quote] }]);
    expect(cut.map((one) => one.text)).toEqual([
      "Café 🎧: höhere Töne ",
      "werden gefaltet 👩‍🔬",
      ", naïve Messung hört sie nicht.",
    ]);
    expect(cut[1]).toMatchObject({ of: ["what"], ends: ["what"] });
    expect(cut.map((one) => one.text).join("")).toBe(TEXT);
  });

  it("may overlap: each piece knows all whose evidence covers it", () => {
    const cut = pieces(TEXT, [
      { name: "a", evidence: [found(TEXT, "höhere Töne werden")] },
      { name: "b", evidence: [found(TEXT, "Töne werden gefaltet")] },
    ]);
    expect(cut.map((one) => one.of)).toEqual([[], ["a"], ["a", "b"], ["b"], []]);
    expect(cut.map((one) => one.ends)).toEqual([[], [], ["a"], ["b"], []]);
    expect(cut[2]?.text).toBe("Töne werden");
  });

  it("that does not stand there is not shown", () => {
    const wrong = [
      { start: 0, end: 4, quote: "Café" },
      { start: 4, end: 4, quote: "" },
      { start: 900, end: 950, quote: "far away" },
    ];
    expect(wrong.map((one) => holds(TEXT, one))).toEqual([false, false, false]);
    expect(pieces(TEXT, [{ name: "a", evidence: wrong }])).toEqual([{ text: TEXT, of: [], ends: [] }]);
  });

  it("of the whole text and of no text is one piece and none", () => {
    const whole = pieces(TEXT, [{ name: "a", evidence: [found(TEXT, TEXT)] }]);
    expect(whole).toEqual([{ text: TEXT, of: ["a"], ends: ["a"] }]);
    expect(pieces("", [])).toEqual([]);
  });

  it("keeps a byte order mark in its place", () => {
    const text = "\uFEFFné";
    const cut = pieces(text, [{ name: "a", evidence: [found(text, "né")] }]);
    expect(cut.map((one) => one.text)).toEqual(["\uFEFF", "né"]);
  });
});
