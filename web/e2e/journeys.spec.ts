/** The journeys through the real binary in a real browser. Started by scripts/e2e.sh, which makes the demo school. */
import { expect, test } from "@playwright/test";
import { accessible, listen, signIn } from "./support";

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

test("on a narrow screen the tutor is a drawer that a citation closes", async ({ page }) => {
  const said = listen(page);
  await page.setViewportSize({ width: 390, height: 844 });
  await signIn(page, "leo");
  await page.locator(".cards a").first().click();
  await page.getByRole("link", { name: "Aliasing and how to prevent it" }).last().click();
  await expect(page.getByRole("heading", { level: 1, name: "Aliasing" })).toBeVisible();
  const ask = page.getByRole("button", { name: "Ask the tutor" });
  await ask.focus();
  await page.keyboard.press("Enter");
  await expect(page.getByLabel("Your question")).toBeFocused();
  await page.keyboard.press("Escape");
  await expect(ask).toBeFocused();
  await ask.click();
  await page.getByLabel("Your question").fill("What is an alias?");
  await page.keyboard.press("Enter");
  const source = page.locator(".exchange.answered .cite").first();
  await expect(source).toBeVisible();
  await accessible(page);
  await source.click();
  await expect(page.getByRole("dialog")).toBeHidden();
  await expect(page.locator(".cited").first()).toBeInViewport();
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
