/** SCORM packages: played, left and taken up, offline, several items, hostile; the golf packages where they are. */
import { expect, test, type APIRequestContext, type FrameLocator, type Page } from "@playwright/test";
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { H5P, HOSTILE, manifest, page as content, zip } from "./package";
import { accessible, listen, signIn } from "./support";

const logins = JSON.parse(process.env.LYCEUM_LOGINS ?? "{}") as Record<string, string>;
const data = process.env.LYCEUM_TEST_DATA ?? join(import.meta.dirname, "../../../shared/data");
/** Course by name of its package. */
const courses: Record<string, string> = {};

async function token(request: APIRequestContext, name: string): Promise<string> {
  const body = { institution: "harbour", username: name, password: logins[name] };
  const answer = await request.post("/api/v1/auth/login", { data: body });
  expect(answer.status(), await answer.text()).toBe(200);
  return (await answer.json()).data.attributes.accessToken;
}

/** Calls the API as a user; the data of the answer. */
async function call(request: APIRequestContext, name: string, method: string, path: string, body?: unknown) {
  const headers = { authorization: `Bearer ${await token(request, name)}`, "if-match": "*" };
  const answer = await request.fetch(path, { method, headers, ...(body ? { data: body } : {}) });
  expect(answer.ok(), `${method} ${path}: ${await answer.text()}`).toBe(true);
  return (await answer.json()).data;
}

/** A course of its own with this package, open to everybody of the institution, with leo in it. */
async function bring(request: APIRequestContext, title: string, buffer: Buffer, kind = "scorm") {
  // A browser that failed begins again in the same school.
  const slug = `${title.toLowerCase().replace(/[^a-z0-9]+/g, "-")}-${Date.now()}`;
  const course = await call(request, "ines", "POST", "/api/v1/courses", { title, slug, visibility: "institution" });
  const path = `/api/v1/courses/${course.id}`;
  await call(request, "ines", "PUT", path, { status: "published" });
  const headers = { authorization: `Bearer ${await token(request, "ines")}` };
  const name = `${title}.${kind === "h5p" ? "h5p" : "zip"}`;
  const multipart = { courseId: course.id, kind, file: { name, mimeType: "application/zip", buffer } };
  const started = await request.post("/api/v1/ingestions", { headers, multipart });
  expect(started.status(), await started.text()).toBe(201);
  const run = (await started.json()).data.id;
  await expect
    .poll(async () => (await call(request, "ines", "GET", `/api/v1/ingestions/${run}`)).attributes.state, {
      timeout: 40_000,
    })
    .toMatch(/succeeded|partial|failed/);
  await call(request, "leo", "POST", `${path}/enrollments`, {});
  courses[title] = course.id;
}

async function openPackage(page: Page, title: string, lesson = ""): Promise<FrameLocator> {
  await page.goto(`/app/courses/${courses[title]}`);
  await page.locator(".modules ol a", { hasText: lesson }).first().click();
  await page.getByRole("link", { name: "Open the package" }).click();
  await expect(page.getByRole("button", { name: "Leave" })).toBeVisible();
  return inside(page);
}

function inside(page: Page): FrameLocator {
  return page.frameLocator(".package-frame").frameLocator("iframe");
}

/**
 * The item that is played after another, as the bar over it names it. Only then its frame may be looked into: a look
 * into the frame that is going away is not repeated in the next one, but fails.
 */
async function follows(page: Page, title: string): Promise<FrameLocator> {
  await expect(page.locator(".package-name p")).toContainText(title);
  await expect(inside(page).getByRole("heading", { name: title })).toBeVisible();
  return inside(page);
}

const saved = (page: Page) => expect(page.locator('[data-save="saved"]')).toBeVisible();

/** The last result of leo in the course of a package. */
async function result(request: APIRequestContext, title: string) {
  const all = await call(request, "leo", "GET", `/api/v1/courses/${courses[title]}/scorm-results`);
  return all.at(-1);
}

async function attempt(request: APIRequestContext, title: string) {
  const id = (await result(request, title)).id;
  return (await call(request, "leo", "GET", `/api/v1/scorm-attempts/${id}/trace`)).attributes;
}

test.beforeAll(async ({ request }) => {
  test.setTimeout(180_000);
  const two = (edition: "1.2" | "2004", version: "1.2" | "2004 3rd Edition", title: string) =>
    zip({
      "imsmanifest.xml": manifest(version, title, [
        { id: "one", title: "First steps", href: "first.html" },
        { id: "two", title: "Second steps", href: "second.html" },
      ]),
      "first.html": content(edition, "First steps"),
      "second.html": content(edition, "Second steps"),
    });
  await bring(request, "Steps", two("1.2", "1.2", "Steps"));
  await bring(request, "Newer steps", two("2004", "2004 3rd Edition", "Newer steps"));
  await bring(
    request,
    "Hostile",
    zip({
      "imsmanifest.xml": manifest("1.2", "Hostile", [{ id: "one", title: "Hostile", href: "hostile.html" }]),
      "hostile.html": HOSTILE,
      "worker.js": "self.onfetch = () => {};",
    }),
  );
});

test("a learner plays a package, reloads and goes on where it was", async ({ page, request }) => {
  const said = listen(page);
  await signIn(page, "leo");
  const frame = await openPackage(page, "Steps", "First steps");
  await expect(frame.getByText("You are at the start")).toBeVisible();
  await accessible(page);
  await frame.getByRole("button", { name: "Go on" }).click();
  await frame.getByRole("button", { name: "Go on" }).click();
  await saved(page);
  await frame.getByRole("button", { name: "Something odd" }).click();
  await expect(frame.locator("#codes")).toHaveText(/^false (201|401)$/);
  await page.reload();
  await expect(inside(page).getByText("You are at 2")).toBeVisible();
  await inside(page).getByRole("button", { name: "Pass" }).click();
  await expect(page.getByText("Passed, Completed, score 90 (as the package reports)")).toBeVisible();
  await page.getByRole("button", { name: "Leave" }).click();
  await expect(page.getByRole("link", { name: "Open the package" })).toBeVisible();
  const stored = await attempt(request, "Steps");
  expect(stored.attempt.standing).toMatchObject({ success: "passed", raw: 90, bookmark: "2" });
  expect([stored.agrees, stored.attempt.state]).toEqual([true, "terminated"]);
  expect(said).toEqual([]);
});

test("the command line tells what came of it, and replays it", async ({ request }) => {
  const lyceum = (...arguments_: string[]) =>
    execFileSync(process.env.LYCEUM_BIN ?? "lyceum", ["--institution", "harbour", ...arguments_], { encoding: "utf8" });
  const slug = (await call(request, "ines", "GET", `/api/v1/courses/${courses.Steps}`)).attributes.slug as string;
  const results = JSON.parse(lyceum("scorm", "results", "--course", slug, "--json"));
  expect(results).toMatchObject({ scoreSource: "client-reported", attempts: [{ success: "passed", raw: 90 }] });
  expect(lyceum("scorm", "results", "--course", slug)).toMatch(/leo +one +1 +completed +passed +90/);
  const id = results.attempts[0].attemptId as string;
  expect(JSON.parse(lyceum("scorm", "trace", id, "--replay", "--json"))).toMatchObject({ agrees: true, complete: true });
  expect(lyceum("scorm", "trace", id)).toContain("cmi.core.lesson_status = passed");
});

test("what is done offline is kept over a reload and sent in order", async ({ page, request }) => {
  await signIn(page, "leo");
  const frame = await openPackage(page, "Steps", "Second steps");
  await expect(frame.getByText("You are at the start")).toBeVisible();
  await page.context().setOffline(true);
  await frame.getByRole("button", { name: "Go on" }).click();
  await expect(page.getByText("Waiting for the network")).toBeVisible();
  await accessible(page);
  await frame.getByRole("button", { name: "Go on" }).click();
  await page.context().setOffline(false);
  await saved(page);
  // The server is away: the page is closed before anything arrives.
  await page.route("**/commits", (route) => route.abort());
  await frame.getByRole("button", { name: "Go on" }).click();
  await expect(page.getByText("Not saved yet: the server does not answer")).toBeVisible();
  await page.unroute("**/commits");
  await page.reload();
  await expect(inside(page).getByText("You are at 3")).toBeVisible();
  const stored = await attempt(request, "Steps");
  expect(stored.attempt.standing.bookmark).toBe("3");
  expect([stored.agrees, stored.complete]).toEqual([true, true]);
});

test("items follow each other, also when the package asks for it", async ({ page, request }) => {
  const said = listen(page);
  await signIn(page, "leo");
  await openPackage(page, "Newer steps", "First steps");
  await expect(page.getByRole("heading", { name: "Contents" })).toBeVisible();
  await accessible(page);
  await page.getByRole("button", { name: "Next" }).click();
  await follows(page, "Second steps");
  await page.getByRole("button", { name: "Previous" }).click();
  const frame = await follows(page, "First steps");
  await frame.getByRole("button", { name: "Pass" }).click();
  await saved(page);
  await frame.getByRole("button", { name: "Finish and continue" }).click();
  await follows(page, "Second steps");
  await expect(page.getByRole("button", { name: "First steps passed" })).toBeVisible();
  await page.setViewportSize({ width: 390, height: 844 });
  await page.getByText("Contents (2 of 2)").click();
  await expect(page.getByRole("button", { name: "First steps passed" })).toBeVisible();
  await accessible(page);
  expect(await result(request, "Newer steps")).toBeTruthy();
  expect(said).toEqual([]);
});

test("an H5P package is played, and its score is stored", async ({ page, request }) => {
  test.skip(!process.env.LYCEUM_H5P_PLAYER, "no H5P player is installed");
  await bring(request, "Nods", zip(H5P), "h5p");
  await signIn(page, "leo");
  const frame = (await openPackage(page, "Nods")).frameLocator("iframe");
  await expect(frame.getByText("A nod says yes.")).toBeVisible();
  await frame.getByRole("button", { name: "Nod" }).click();
  await expect(page.getByText("Passed, Completed, score 75 (as the package reports)")).toBeVisible();
  await saved(page);
  await page.getByRole("button", { name: "Leave" }).click();
  await expect(page.getByText("A nod says yes.")).toBeVisible();
  const stored = await attempt(request, "Nods");
  expect(stored.attempt.standing).toMatchObject({ success: "passed", completion: "completed", raw: 75 });
  expect([stored.agrees, stored.attempt.state]).toEqual([true, "terminated"]);
});

test("a hostile package gets at nothing", async ({ page, request }) => {
  // Another attempt, which the package is told of.
  const [lesson] = await call(request, "leo", "GET", `/api/v1/courses/${courses.Steps}/content`);
  const opening = { nonce: "0123456789abcdef" };
  const other = (await call(request, "leo", "POST", `/api/v1/content/${lesson.id}/scorm`, opening)).id;
  const values = async () =>
    JSON.stringify((await call(request, "leo", "GET", `/api/v1/scorm-attempts/${other}/trace`)).attributes.values);
  const before = await values();
  await signIn(page, "leo");
  await page.goto(`/app/courses/${courses.Hostile}`);
  await page.getByRole("link", { name: "Hostile" }).first().click();
  const app = new URL(page.url()).origin;
  await page.route("**/api/v1/content/*/scorm", async (route) => {
    const response = await route.fetch();
    const body = await response.json();
    body.data.attributes.launchUrl += `?app=${encodeURIComponent(app)}&other=${other}`;
    await route.fulfill({ response, json: body });
  });
  await page.getByRole("link", { name: "Open the package" }).click();
  const told = inside(page).locator("#tries");
  await expect(told).toContainText("{", { timeout: 30_000 });
  const tries = JSON.parse(await told.innerText()) as Record<string, string>;
  const got = Object.entries(tries).filter(([, what]) => what !== "held");
  console.log(`hostile package: ${Object.keys(tries).length} tries, ${got.length} got through`);
  expect(got).toEqual([]);
  expect(Object.keys(tries).length).toBeGreaterThanOrEqual(30);
  expect(page.url()).toContain("/package");
  const mine = await attempt(request, "Hostile");
  expect(mine.commits).toEqual([]);
  expect(await values()).toBe(before);
  // The login lives.
  await page.goto("/app/courses");
  await expect(page.getByRole("heading", { name: "Courses" })).toBeVisible();
});

const GOLF = [
  { file: "golf_scorm12.zip", title: "Golf 1.2", edition: "1.2" },
  { file: "golf_scorm2004_3rd.zip", title: "Golf 2004", edition: "2004-3" },
];

for (const { file, title, edition } of GOLF) {
  test(`${title} is played to a passed quiz`, async ({ page, request }) => {
    const path = join(data, "scorm", file);
    test.skip(!existsSync(path), `no outside test data at ${path}`);
    test.setTimeout(150_000);
    await bring(request, title, readFileSync(path));
    await signIn(page, "leo");
    const asked: string[] = [];
    page.on("dialog", (dialog) => {
      asked.push(dialog.message());
      void dialog.accept();
    });
    await openPackage(page, title);
    const next = () => inside(page).getByRole("button", { name: "Next" });
    for (const name of ["Par", "Scoring", "OtherScoring"]) {
      await next().click();
      await expect(inside(page).locator("#contentFrame")).toHaveAttribute("src", `../Playing/${name}.html`);
    }
    await saved(page);
    await expect.poll(async () => (await attempt(request, title)).attempt.standing.bookmark).toBe("3");
    await page.reload();
    await expect(inside(page).locator("#contentFrame")).toHaveAttribute("src", "../Playing/OtherScoring.html");
    expect(asked).toEqual(["Would you like to resume from where you previously left off?"]);
    for (let n = 3; n < 14; n += 1) await next().click();
    const quiz = inside(page).frameLocator("#contentFrame");
    await expect(quiz.getByRole("heading", { name: "Knowledge Check" })).toBeVisible();
    for (const right of await quiz.locator(".correctAnswer").all()) {
      const input = right.locator("input");
      if ((await input.getAttribute("type")) === "radio") await input.check();
      else await input.fill(/\((\d+)\)/.exec(await right.innerText())?.[1] ?? "");
    }
    await quiz.getByRole("button", { name: "Submit Answers" }).click();
    await expect(quiz.getByRole("heading", { name: "Score: 100" })).toBeVisible();
    await expect(page.getByText(/^Passed, Completed, score 100/)).toBeVisible();
    await inside(page).getByRole("button", { name: "Exit" }).click();
    await expect(page.getByText("Open it again").first()).toBeVisible();
    const stored = await attempt(request, title);
    expect(stored.attempt).toMatchObject({ edition, state: "terminated", scoreSource: "client-reported" });
    expect(stored.attempt.standing).toMatchObject({ success: "passed", completion: "completed", raw: 100, scaled: 1 });
    expect(stored.attempt.standing.bookmark).toBe("14");
    expect(stored.agrees).toBe(true);
    await page.getByRole("button", { name: "Open it again" }).click();
    await expect(inside(page).locator("#contentFrame")).toBeVisible();
  });
}
