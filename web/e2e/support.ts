/** What every journey needs: a login, an eye on the console, axe. */
import { expect, type Page } from "@playwright/test";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const logins = JSON.parse(process.env.LYCEUM_LOGINS ?? "{}") as Record<string, string>;

interface Violation {
  id: string;
  nodes: { html: string }[];
}

/** WCAG 2.2 AA, as far as a machine can tell. */
export async function accessible(page: Page) {
  // Half under the bar that stays on top, anything is too small a target.
  await page.evaluate(() => window.scrollTo({ top: 0, behavior: "instant" }));
  await page.evaluate(axe);
  const found = await page.evaluate(async () => {
    const { axe } = window as unknown as { axe: { run: (...a: unknown[]) => Promise<{ violations: Violation[] }> } };
    const values = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
    const { violations } = await axe.run(document, { runOnly: { type: "tag", values } });
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(" ")}`);
  });
  expect(found).toEqual([]);
}

/** What a page must not say to the console: refused scripts and styles, broken promises. */
export function listen(page: Page): string[] {
  const said: string[] = [];
  page.on("pageerror", (error) => said.push(error.message));
  page.on("console", (message) => message.type() === "error" && said.push(message.text()));
  return said;
}

export async function signIn(page: Page, name: string) {
  await page.goto("/");
  await page.getByLabel("Institution").fill("harbour");
  await page.getByLabel("Login name").fill(name);
  await page.getByLabel("Password").fill(logins[name] ?? "");
  await accessible(page);
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { name: "Courses" })).toBeVisible();
}
