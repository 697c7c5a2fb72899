// Dead letters: gathered by cause; some chosen, one cause, then all replayed, with how far it has come, what was refused and how the replays do.
import { accessible, expect, fits, open, signIn, test } from "../console.mjs";

const group = (page, text) => page.getByRole("article").filter({ hasText: text });
const panel = (page) => page.locator(".replaying");

test("dead letters are gathered by cause and replayed, some, those of a cause, and all", async ({ page }) => {
  await signIn(page);
  await open(page, "/dead-letters");
  await expect(page.getByRole("article")).toHaveCount(3);
  const refused = group(page, "422");
  await expect(refused.getByRole("heading")).toContainText("3 dead letters");
  await accessible(page);

  await refused.getByRole("button", { name: "Letters" }).click();
  await expect(page).toHaveURL(/cause=/);
  await expect(refused.getByRole("link", { name: "refused-0", exact: true })).toBeVisible();
  await refused.getByLabel("Choose refused-0").check();
  await refused.getByLabel("Choose refused-1").check();
  await accessible(page);
  await refused.getByRole("button", { name: "Replay 2 chosen" }).click();
  await expect(panel(page).getByText("2 replayed")).toBeVisible();
  await expect(panel(page).getByText("2 succeeded")).toBeVisible();
  await expect(panel(page).getByText("All of them succeeded.")).toBeVisible();
  await expect(refused.getByRole("heading")).toContainText("1 dead letter");
  await accessible(page);

  await refused.getByRole("button", { name: "Replay 1", exact: true }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Replay", exact: true }).click();
  await expect(panel(page).getByText("1 succeeded")).toBeVisible();
  await expect(refused).toHaveCount(0);

  // One of these was erased, and one dies again.
  await page.getByRole("button", { name: "Replay all 3" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Replay", exact: true }).click();
  await expect(panel(page).getByText("1 refused")).toBeVisible();
  await expect(panel(page).locator(".refused")).toContainText("erased");
  await expect(panel(page).getByText("1 died again")).toBeVisible();
  await expect(panel(page).getByText("1 succeeded")).toBeVisible();
  await accessible(page);
  await page.setViewportSize({ width: 320, height: 700 });
  await fits(page);
  await panel(page).getByRole("button", { name: "Close" }).click();
  await expect(panel(page)).toHaveCount(0);
});

test("filters find dead letters, and a link leads to the step that failed", async ({ page }) => {
  await signIn(page, process.env.SANGAM_VIEWER);
  await open(page, "/dead-letters?route=script");
  await expect(page.getByRole("article").first()).toBeVisible();
  await page.getByLabel("Failed by").selectOption("timeout");
  await expect(page.getByText("No dead letter fits these filters")).toBeVisible();
  await accessible(page);
  await page.getByRole("button", { name: /timed out/ }).click();
  await expect(page.getByRole("button", { name: /^Replay \d/ }).first()).toHaveAttribute("aria-disabled", "true");
  await page.getByRole("link", { name: "Look at one" }).first().click();
  await expect(page).toHaveURL(/step=run/);
  await expect(page.locator(".step-reason")).toBeVisible();
});
