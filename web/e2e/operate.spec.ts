/** Operating the ingestion: sources with their schedule, a removal that asks first, at three widths. */
import { expect, test } from "@playwright/test";
import { accessible, listen, signIn } from "./support";

for (const width of [390, 820, 1440]) {
  test(`sources are scheduled and removed only after a second click, ${width} wide`, async ({ page }) => {
    const said = listen(page);
    await page.setViewportSize({ width, height: 900 });
    await signIn(page, "ada");
    await page.locator(".cards a").first().click();
    await page.getByRole("link", { name: "Content and its ingestion" }).click();
    await expect(page.getByRole("heading", { name: "Sources" })).toBeVisible();
    const source = page.locator("section .ingestions > li").first();
    await source.getByLabel("Fetched again").selectOption({ label: "Each day at 3:00 UTC" });
    await expect(source.getByText("Next run:")).toBeVisible();
    await source.getByRole("button", { name: "Remove…" }).click();
    await expect(source.getByRole("button", { name: /Yes, remove/ })).toBeVisible();
    await source.getByRole("button", { name: "Keep it" }).click();
    await source.getByLabel("Fetched again").selectOption({ label: "Only by hand" });
    await expect(source.getByText("Next run:")).toHaveCount(0);
    await accessible(page);
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    expect(overflow).toBeLessThanOrEqual(0);
    if (process.env.LYCEUM_SHOTS) await page.screenshot({ path: `${process.env.LYCEUM_SHOTS}/ingestion-${width}.png`, fullPage: true });
    expect(said).toEqual([]);
  });
}
