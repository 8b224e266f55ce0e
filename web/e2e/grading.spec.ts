/** From a text to a grade: a person judges beside a proposal and releases, the learner reads it and appeals. */
import { expect, test, type Page } from "@playwright/test";
import { accessible, listen, signIn } from "./support";

test.describe.configure({ mode: "serial" });

/** The beginning of what leo wrote; learners are not named in the queue. */
const WROTE = "Aliasing is when a sound comes out wrong";
const REASON = "The second reading found less than the first.";
const APPEAL = "The film wheel is in my second sentence – “naïve” or not, it is an example. 🎞";
const ANSWER = "Read again by two of us: a wheel is named nowhere, so the level stays.";

async function course(page: Page, name: string) {
  await signIn(page, name);
  await page.locator(".cards a").first().click();
}

async function bench(page: Page, tab: RegExp) {
  await course(page, "ines");
  await page.getByRole("link", { name: "Grading" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Grading" })).toBeVisible();
  await page.getByRole("navigation", { name: "Texts by state" }).getByRole("button", { name: tab }).click();
  await expect(page.locator(".queue > li").first()).toBeVisible();
  await accessible(page);
  await page.locator(".queue a", { hasText: WROTE }).click();
  await expect(page.locator(".bench")).toBeFocused();
}

test("an instructor proposes, sets another level with a reason and releases", async ({ page }) => {
  const said = listen(page);
  await bench(page, /^Released/);
  const sheet = page.locator(".bench");
  await expect(sheet.locator(".handed-in")).toContainText(WROTE);
  await page.keyboard.press("?");
  await expect(page.getByRole("dialog", { name: "Keys of this page" })).toBeVisible();
  await accessible(page);
  await page.keyboard.press("Escape");

  await page.keyboard.press("p");
  await expect(page.getByText("A grade is proposed.")).toBeVisible();
  await expect(sheet.locator(".handed-in mark").first()).toBeVisible();
  await page.keyboard.press("c");
  const first = sheet.locator("fieldset.criterion").first();
  await expect(first).toBeFocused();
  await expect(first).toHaveClass(/active/);
  await accessible(page);

  const worst = first.getByRole("radio").last();
  const levels = await first.getByRole("radio").count();
  await page.keyboard.press(String((await worst.isChecked()) ? 1 : levels));
  await expect(sheet.locator("fieldset.criterion").nth(1)).toBeFocused();
  await expect(sheet.getByText("not set yet")).toBeVisible();
  await page.keyboard.press("l");
  await expect(sheet.getByText("Set the grade before you release it.")).toBeVisible();
  await page.keyboard.press("s");
  const reason = sheet.getByLabel(/^Reason/);
  await expect(reason).toBeFocused();
  await accessible(page);
  await reason.fill(REASON);
  await sheet.getByRole("button", { name: "Set grade" }).click();
  await expect(sheet.getByText("The learner sees nothing of it until you release it.")).toBeVisible();
  await expect(sheet.getByText("Graded, not released")).toBeVisible();

  await sheet.locator(".bench-text h3").click();
  await page.keyboard.press("l");
  const dialog = page.getByRole("dialog", { name: "Release this grade?" });
  await expect(dialog).toBeVisible();
  await accessible(page);
  await page.keyboard.press("Enter");
  await expect(sheet.getByText("Released: the learner can read it now.")).toBeVisible();
  await sheet.getByText(/^History:/).click();
  await expect(sheet.getByText(REASON)).toBeVisible();
  await sheet.getByText("How well proposals to this question agree").click();
  await expect(sheet.getByText("Mean error")).toBeVisible();
  await accessible(page);
  expect(said).toEqual([]);
});

test("the learner reads the grade in the text and appeals", async ({ page }) => {
  const said = listen(page);
  await course(page, "leo");
  await page.getByRole("link", { name: "What you handed in" }).click();
  await expect(page.locator(".queue > li").first()).toBeVisible();
  await accessible(page);
  await page.locator(".queue a", { hasText: WROTE }).click();
  await expect(page.locator(".score")).toContainText("of 10 points");
  await expect(page.locator(".handed-in mark").first()).toBeVisible();
  await page.getByRole("button", { name: "Show in your text" }).first().click();
  await expect(page.locator(".handed-in mark.active").first()).toBeVisible();
  await accessible(page);
  await page.getByText("Appeal against this grade").click();
  await page.getByLabel("Against").selectOption({ index: 1 });
  await page.getByLabel("Why is it wrong?").fill(APPEAL);
  await accessible(page);
  await page.getByRole("button", { name: "Send the appeal" }).click();
  await expect(page.getByText(APPEAL)).toBeVisible();
  await expect(page.getByText("Waits for an answer")).toBeVisible();
  await accessible(page);
  expect(said).toEqual([]);
});

test("the instructor finds the appeal first and answers it", async ({ page }) => {
  const said = listen(page);
  await bench(page, /^Appeals/);
  await expect(page.getByText(APPEAL)).toBeVisible();
  await page.getByLabel("Your answer to the learner").fill(ANSWER);
  await accessible(page);
  await page.getByRole("button", { name: "Answer the appeal" }).click();
  await expect(page.getByText("Answered, the points stayed").last()).toBeVisible();
  await expect(page.getByText(ANSWER)).toBeVisible();
  await accessible(page);
  expect(said).toEqual([]);
});

test("the learner reads the answer", async ({ page }) => {
  const said = listen(page);
  await course(page, "leo");
  await page.getByRole("link", { name: "What you handed in" }).click();
  await page.locator(".queue a", { hasText: WROTE }).click();
  await expect(page.getByText(ANSWER)).toBeVisible();
  await expect(page.getByText("Answered: the points stayed").last()).toBeVisible();
  expect(said).toEqual([]);
});
