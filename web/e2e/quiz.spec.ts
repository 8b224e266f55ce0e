/** From a draft to a result: an instructor approves by keyboard and publishes, a learner takes the quiz. */
import { expect, test, type Locator, type Page } from "@playwright/test";
import { accessible, listen, signIn } from "./support";

test.describe.configure({ mode: "serial" });

const TITLE = "What was read this week";

async function bank(page: Page) {
  await signIn(page, "ines");
  await page.locator(".cards a").first().click();
  await page.getByRole("link", { name: "Questions and quizzes" }).click();
  await expect(page.getByRole("heading", { name: "Questions and quizzes" })).toBeVisible();
}

async function count(tab: Locator): Promise<number> {
  return Number(await tab.locator(".count").innerText());
}

/** Answers whatever is asked, right or wrong. */
async function answer(question: Locator) {
  const field = (what: string) => question.locator(what);
  if (await field('input[type="radio"], input[type="checkbox"]').count()) {
    await field('input[type="radio"], input[type="checkbox"]').first().check();
  } else if (await field("select").count()) {
    for (const select of await field("select").all()) await select.selectOption({ index: 1 });
  } else if (await field("[data-down]").count()) {
    await field("[data-down]").first().press("Enter");
  } else {
    for (const input of await field("input, textarea").all()) await input.fill("7");
  }
  await expect(question.locator('[data-save="saved"]')).toBeVisible();
}

test("an instructor drafts questions, approves two by keyboard and publishes a quiz", async ({ page }) => {
  const said = listen(page);
  await bank(page);
  const tabs = page.getByRole("navigation", { name: "Questions by state" });
  const drafts = tabs.getByRole("button", { name: /^Drafts/ });
  const approved = tabs.getByRole("button", { name: /^Approved/ });
  await expect(drafts.locator(".count")).toBeVisible();
  if ((await count(drafts)) < 4) {
    const form = page.locator("details", { hasText: "Draft questions from the course" });
    if (!(await form.getByLabel("How many").isVisible())) await form.locator("summary").click();
    await form.getByLabel("How many").fill("6");
    await form.getByRole("button", { name: "Draft questions" }).click();
    await expect(page.getByText("came into the bank")).toBeVisible();
  }
  await expect(page.locator(".desk")).toBeVisible();
  await accessible(page);

  const [before, good] = [await count(drafts), await count(approved)];
  await page.keyboard.press("?");
  await expect(page.getByRole("dialog", { name: "Keys of this page" })).toBeVisible();
  await accessible(page);
  // In one frame: the dialog is closed before its fields let go of the focus.
  await Promise.all([page.keyboard.press("Escape"), page.keyboard.press("j")]);
  await expect(page.getByRole("region", { name: `Question 2 of ${before}` })).toBeFocused();
  await page.keyboard.press("k");
  for (const left of [before - 1, before - 2]) {
    await expect(page.getByRole("button", { name: /^Approve a$/ })).toBeEnabled();
    await page.keyboard.press("a");
    await expect(drafts.locator(".count")).toHaveText(String(left));
  }
  await expect(approved.locator(".count")).toHaveText(String(good + 2));

  await expect(page.getByRole("button", { name: /^Edit/ })).toBeEnabled();
  await page.keyboard.press("e");
  const words = page.getByLabel("Question", { exact: true });
  await expect(words).toBeFocused();
  await words.press("End");
  await words.pressSequentially(" Say why a j, an a and an r are only letters here.");
  await accessible(page);
  await page.getByRole("button", { name: "Save as draft" }).click();
  await expect(page.locator(".desk .card .stem")).toContainText("only letters here");
  await expect(page.getByRole("button", { name: /^Reject/ })).toBeEnabled();
  await page.keyboard.press("r");
  await expect(page.getByRole("dialog", { name: "Reject this question?" })).toBeVisible();
  await page.keyboard.press("Enter");
  await expect(drafts.locator(".count")).toHaveText(String(before - 3));

  await page.getByText("Make a quiz from approved questions").click();
  await page.getByLabel("Title").fill(TITLE);
  await page.getByLabel("Points each").fill("2");
  await page.getByLabel("Minutes").fill("4");
  await accessible(page);
  await page.getByRole("button", { name: /^Make a quiz of/ }).click();
  await page.getByRole("button", { name: `Publish ${TITLE}` }).click();
  await expect(page.getByRole("button", { name: `Close ${TITLE}` })).toBeVisible();
  await expect(tabs.getByRole("button", { name: /^In use/ }).locator(".count")).not.toHaveText("0");
  await accessible(page);
  expect(said).toEqual([]);
});

test("a learner takes the quiz, keeps the answers over a reload and reads why", async ({ page }) => {
  const said = listen(page);
  await signIn(page, "leo");
  await page.locator(".cards a").first().click();
  await page.getByRole("link", { name: TITLE }).click();
  await expect(page.getByRole("heading", { level: 1, name: TITLE })).toBeVisible();
  await accessible(page);
  await page.getByRole("button", { name: "Start the quiz" }).click();
  await expect(page.getByRole("timer")).toContainText(/^[34]:\d\d$/);
  const questions = page.locator(".questions > li");
  await expect(questions.first()).toBeVisible();
  const most = await questions.count();
  await answer(questions.first());
  await expect(page.getByText(`1 of ${most} answered`)).toBeVisible();
  await page.reload();
  await expect(page.getByText(`1 of ${most} answered`)).toBeVisible();
  await expect(questions.first().locator('[data-save="saved"]')).toBeVisible();
  await accessible(page);

  await page.getByRole("button", { name: "Hand in" }).first().click();
  const dialog = page.getByRole("dialog");
  await expect(dialog.getByRole("button", { name: /^Question \d/ })).toHaveCount(most - 1);
  await accessible(page);
  await dialog.getByRole("button", { name: /^Question 2/ }).click();
  await expect(dialog).toBeHidden();
  for (let n = 1; n < most; n += 1) await answer(questions.nth(n));
  await page.getByRole("button", { name: "Hand in" }).last().click();
  await expect(dialog).toContainText("Every question has an answer");
  await dialog.getByRole("button", { name: "Hand in now" }).click();

  await expect(page.getByRole("heading", { name: "Your result" })).toBeVisible();
  await expect(page.locator(".score")).toContainText(`of ${2 * most} points`);
  await expect(page.locator(".feedback > li")).toHaveCount(most);
  await expect(page.getByText("The right answer").first()).toBeVisible();
  await accessible(page);
  await page.locator(".feedback .from a").first().click();
  await expect(page.locator(".cited").first()).toBeInViewport();
  await page.getByRole("link", { name: "Reviews" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Reviews" })).toBeVisible();
  await accessible(page);
  expect(said).toEqual([]);
});

test("an answer that cannot be saved says so and is saved when the server is back", async ({ page }) => {
  await signIn(page, "leo");
  await page.locator(".cards a").first().click();
  await page.getByRole("link", { name: TITLE }).click();
  await page.getByRole("button", { name: "Take it again" }).click();
  const first = page.locator(".questions > li").first();
  await expect(first).toBeVisible();
  await page.route("**/responses/**", (route) => route.abort());
  await first.locator("input, select, [data-down]").first().focus();
  await page.keyboard.press("Space");
  await page.keyboard.type("8");
  await expect(first.locator('[data-save="retrying"]')).toBeVisible();
  await accessible(page);
  await page.unroute("**/responses/**");
  await expect(first.locator('[data-save="saved"]')).toBeVisible();
  await page.getByRole("button", { name: "Hand in" }).first().click();
  await page.getByRole("button", { name: "Hand in now" }).click();
  await expect(page.getByRole("heading", { name: "Attempt 2" })).toBeVisible();
});

test("an instructor sees the class and closes the quiz", async ({ page }) => {
  const said = listen(page);
  await bank(page);
  await page.getByRole("link", { name: TITLE }).click();
  await expect(page.getByText("2 attempts were handed in")).toBeVisible();
  await accessible(page);
  await page.goBack();
  await page.getByRole("button", { name: `Close ${TITLE}` }).click();
  await accessible(page);
  await page.getByRole("button", { name: "Close the quiz" }).click();
  await expect(page.getByRole("button", { name: `Close ${TITLE}` })).toBeHidden();
  await expect(page.getByText("Closed", { exact: true })).toBeVisible();
  expect(said).toEqual([]);
});
