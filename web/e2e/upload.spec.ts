/** A file comes in pieces: broken off by a reload, it goes on where it stopped and is ingested. */
import { writeFileSync } from "node:fs";
import { expect, test } from "@playwright/test";
import { accessible, listen, signIn } from "./support";

const SIZE = 40 * 1024 * 1024;

test("an upload that a reload broke off goes on where it stopped", async ({ page }) => {
  const said = listen(page);
  const line = "A keel keeps a boat straight, and a hull keeps the water out.\n\n";
  const head = "# Boats\n\nThe rudder steers.\n\n";
  const file = test.info().outputPath("boats.md");
  writeFileSync(file, head + line.repeat(64) + " ".repeat(SIZE));
  const offsets: string[] = [];
  page.on("request", (request) => {
    if (request.method() === "PATCH") offsets.push(request.headers()["upload-offset"] ?? "");
  });
  await signIn(page, "ada");
  await page.locator(".cards a").first().click();
  await page.getByRole("link", { name: "Content and its ingestion" }).click();
  await accessible(page);
  // The second piece does not get through.
  let pieces = 0;
  await page.route("**/api/v1/uploads/*", async (route) => {
    if (route.request().method() === "PATCH" && ++pieces > 1) return route.abort("connectionfailed");
    return route.continue();
  });
  await page.getByLabel("The file").setInputFiles(file);
  await page.getByRole("button", { name: "Upload and ingest" }).click();
  await expect.poll(() => offsets).toContain(String(16 * 1024 * 1024));
  await page.reload();
  await page.unroute("**/api/v1/uploads/*");
  offsets.length = 0;
  const started = page.waitForResponse(
    (answer) => answer.request().method() === "POST" && answer.url().endsWith("/api/v1/ingestions"),
  );
  await page.getByLabel("The file").setInputFiles(file);
  await page.getByRole("button", { name: "Upload and ingest" }).click();
  expect((await started).status()).toBe(201);
  expect(offsets[0]).toBe(String(16 * 1024 * 1024));
  expect(said.filter((text) => !text.includes("ERR_CONNECTION_FAILED"))).toEqual([]);
});
