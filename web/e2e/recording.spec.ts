/** The journey of a recording: played as a stream, with captions, chapters, a transcript that seeks and is corrected. */
import { expect, test, type Page } from "@playwright/test";
import { accessible, listen, signIn } from "./support";

const TITLE = process.env.LYCEUM_RECORDING;
test.skip(!TITLE, "ffmpeg and flite are not installed");

async function open(page: Page) {
  await page.locator(".cards a").first().click();
  await page.locator(".modules a", { hasText: TITLE ?? "" }).first().click();
  await expect(page.getByRole("heading", { level: 1, name: TITLE })).toBeVisible();
}

const video = (page: Page) => page.locator("video");
const time = (page: Page) => video(page).evaluate((one: HTMLVideoElement) => one.currentTime);

test("a learner watches the stream, jumps by chapter and transcript, and comes back where it was left", async ({ page }) => {
  const said = listen(page);
  await signIn(page, "leo");
  await open(page);
  await expect(video(page)).toHaveAttribute("data-way", "hls");
  await page.getByRole("button", { name: "Play", exact: true }).click();
  await expect.poll(() => time(page)).toBeGreaterThan(0.8);
  // What is shown is the stream and not a still picture: frames were decoded.
  const frames = () => video(page).evaluate((one: HTMLVideoElement) => one.getVideoPlaybackQuality().totalVideoFrames);
  await expect.poll(frames).toBeGreaterThan(10);
  const shown = () =>
    video(page).evaluate((one: HTMLVideoElement) =>
      Array.from(one.textTracks[0]?.activeCues ?? [], (cue) => (cue as VTTCue).text).join(" "),
    );
  await expect.poll(shown).toContain("hull");
  await expect(page.locator(".transcript [aria-current]")).toContainText("The hull keeps the water out.");
  await expect(page.locator(".chapters [aria-current]")).toContainText("Hulls");
  await expect(page.locator(".seek i")).toHaveCount(2);

  await page.locator(".chapters button", { hasText: "Keels" }).click();
  await expect.poll(() => time(page)).toBeGreaterThan(12);
  await expect.poll(shown).toContain("keel");
  await page.locator(".transcript button", { hasText: "wing" }).click();
  await expect.poll(() => time(page)).toBeLessThan(11);
  await expect.poll(() => time(page)).toBeGreaterThan(6);
  await expect(page.locator(".transcript [aria-current]")).toContainText("wing");

  await page.keyboard.press(">");
  await expect.poll(() => video(page).evaluate((one: HTMLVideoElement) => one.playbackRate)).toBe(1.25);
  await page.locator(".transcript button", { hasText: "keel" }).click();
  const kept = page.waitForResponse((one) => one.url().endsWith("/position") && one.status() === 204);
  await page.keyboard.press("k");
  await kept;
  await expect(page.getByRole("button", { name: "Play", exact: true })).toBeVisible();
  await accessible(page);
  await page.reload();
  await expect(page.getByText("where you left")).toBeVisible();
  await expect.poll(() => time(page)).toBeGreaterThan(11.5);
  expect(said).toEqual([]);
});

test("an instructor corrects a word, and learners see and find it", async ({ page }) => {
  const said = listen(page);
  await signIn(page, "ines");
  await open(page);
  await page.getByRole("link", { name: "Correct the transcript" }).click();
  await page.getByLabel("Find").fill("sale");
  await page.getByLabel("Put in its place").fill("sail");
  await page.getByRole("button", { name: "Replace 1 place" }).click();
  await expect(page.getByLabel("Words of line 2")).toHaveValue("A sail is a wing that stands upright.");
  await accessible(page);
  await page.getByRole("button", { name: "Play from here, line 2" }).click();
  await expect.poll(() => time(page)).toBeGreaterThan(5.9);
  await page.getByRole("button", { name: "Save 1 changed line" }).click();
  await expect(page.getByText("Saved.")).toBeVisible();
  await page.getByRole("link", { name: "← The lesson" }).click();
  await expect(page.locator(".transcript button", { hasText: "A sail is a wing" })).toBeVisible();
  expect(said).toEqual([]);
});

test("a protected recording plays encrypted", async ({ page, request }) => {
  const said = listen(page);
  const logins = JSON.parse(process.env.LYCEUM_LOGINS ?? "{}") as Record<string, string>;
  const login = await request.post("/api/v1/auth/login", {
    data: { institution: "harbour", username: "ines", password: logins.ines },
  });
  const { accessToken } = (await login.json()).data.attributes as { accessToken: string };
  const headers = { authorization: `Bearer ${accessToken}` };
  const courses = (await (await request.get("/api/v1/courses", { headers })).json()) as {
    data: { id: string; attributes: { slug: string } }[];
  };
  const course = courses.data.find(({ attributes }) => attributes.slug === "sound")?.id ?? "";
  const protect = async (on: boolean) => {
    const set = await request.put(`/api/v1/courses/${course}/media`, { headers, data: { protected: on } });
    expect(set.status()).toBe(200);
  };
  await protect(true);
  try {
    const asked: string[] = [];
    page.on("request", (one) => asked.push(one.url().split("/").pop() ?? ""));
    await signIn(page, "leo");
    await open(page);
    await expect(video(page)).toHaveAttribute("data-way", "hls");
    await page.locator(".transcript button").first().click();
    await expect.poll(() => time(page)).toBeGreaterThan(1.5);
    expect(asked).toContain("stream.key");
    expect(asked.filter((name) => name.endsWith(".enc")).length).toBeGreaterThan(0);
    expect(asked.filter((name) => name.endsWith(".m4s") || name === "recording" || name === "media")).toEqual([]);
    expect(said).toEqual([]);
  } finally {
    await protect(false);
  }
});
