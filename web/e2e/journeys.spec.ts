/** The journeys through the real binary in a real browser. Started by scripts/e2e.sh, which makes the demo school. */
import { expect, test, type Page } from "@playwright/test";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const logins = JSON.parse(process.env.LYCEUM_LOGINS ?? "{}") as Record<string, string>;

interface Violation {
  id: string;
  nodes: { html: string }[];
}

/** WCAG 2.2 AA, as far as a machine can tell. */
async function accessible(page: Page) {
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
function listen(page: Page): string[] {
  const said: string[] = [];
  page.on("pageerror", (error) => said.push(error.message));
  page.on("console", (message) => message.type() === "error" && said.push(message.text()));
  return said;
}

async function signIn(page: Page, name: string) {
  await page.goto("/");
  await page.getByLabel("Institution").fill("harbour");
  await page.getByLabel("Login name").fill(name);
  await page.getByLabel("Password").fill(logins[name] ?? "");
  await accessible(page);
  await page.keyboard.press("Enter");
  await expect(page.getByRole("heading", { name: "Courses" })).toBeVisible();
}

test("a learner reads, asks and follows a citation to its line", async ({ page }) => {
  const said = listen(page);
  await signIn(page, "leo");
  await accessible(page);
  await page.locator(".cards a").first().click();
  await page.getByRole("link", { name: "Aliasing and how to prevent it" }).last().click();
  await expect(page.getByRole("heading", { level: 1, name: "Aliasing" })).toBeVisible();
  await page.getByLabel("Your question").fill("What is an alias?");
  await page.keyboard.press("Enter");
  await page.locator(".exchange.answered .cite").first().click();
  await expect(page.locator(".cited").first()).toBeInViewport();
  await accessible(page);
  await page.getByLabel("Your question").fill("Who won the football world cup in 1974?");
  await page.keyboard.press("Enter");
  await expect(page.getByText("This course does not cover that.")).toBeVisible();
  await page.reload();
  await expect(page.getByRole("heading", { level: 1, name: "Aliasing" })).toBeVisible();
  expect(said).toEqual([]);
});

test("a learner seeks in the recording by its transcript", async ({ page }) => {
  const said = listen(page);
  await signIn(page, "leo");
  await page.locator(".cards a").first().click();
  await page.locator(".modules a", { hasText: "Video" }).first().click();
  const line = page.locator(".transcript button").nth(2);
  await expect(page.locator("video")).toBeVisible();
  await line.focus();
  await page.keyboard.press("Enter");
  await expect.poll(() => page.locator("video").evaluate((video: HTMLVideoElement) => video.currentTime)).toBeGreaterThan(1);
  await accessible(page);
  expect(said).toEqual([]);
});

test("an administrator sees the ingestions with their stages", async ({ page }) => {
  const said = listen(page);
  await signIn(page, "ada");
  await page.locator(".cards a").first().click();
  await page.getByRole("link", { name: "Content and its ingestion" }).click();
  await expect(page.getByText("Done").first()).toBeVisible();
  await accessible(page);
  expect(said).toEqual([]);
});
