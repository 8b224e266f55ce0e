import { expect, test } from "vitest";
import { outside } from "./outside";

const site = { id: "dQw4w9WgXcQ", url: "https://www.youtube.com/watch?v=dQw4w9WgXcQ", embeddable: true };

test("a link leads to the second, in each site's way", () => {
  expect(outside({ ...site, provider: "youtube" }, 83.7)).toBe("https://www.youtube.com/watch?v=dQw4w9WgXcQ&t=83s");
  expect(outside({ ...site, provider: "page", url: "https://media.example/talk" }, 83.7)).toBe("https://media.example/talk#t=83");
  expect(outside({ ...site, provider: "page", url: "https://media.example/talk" }, 0)).toBe("https://media.example/talk");
});

test("what is no web address is no link", () => {
  for (const url of ["javascript:alert(1)", "talk", ""]) expect(outside({ ...site, provider: "page", url }, 1)).toBe("");
});
