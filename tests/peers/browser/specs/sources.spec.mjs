// Where events come from and who is told of them: an earlier time read again, what was set aside handled, a subscriber sent to again.
import { accessible, expect, fits, open, settled, signIn, test } from "../console.mjs";

const { SANGAM_FEED: FEED, SANGAM_SINK: SINK } = process.env;
const fact = (region, name) => region.locator("dt", { hasText: name }).locator("xpath=following-sibling::dd[1]");

test("an earlier time is read again from a date on, and its progress is seen until it is done", async ({ page }) => {
  await signIn(page);
  await open(page, "/sources/in");
  const brought = page.getByRole("region", { name: "What it has brought" });
  // From 05:00 on: ten minutes, and what could not be taken in.
  await expect(fact(brought, "Events brought in")).toHaveText("10");
  const earlier = page.getByRole("region", { name: "Read an earlier time" });
  const begin = earlier.getByRole("button", { name: /^Read it/ });
  await expect(begin).toHaveAccessibleName(/Say from which day on/);
  await accessible(page);
  await earlier.getByLabel("From", { exact: true }).fill("2026-01-01");
  await begin.click();
  await expect(earlier.getByRole("progressbar")).toBeVisible();
  await accessible(page);
  await expect(earlier.getByText("done", { exact: true })).toBeVisible();
  await expect(fact(earlier, "Events brought in")).toHaveText("300");
  await expect(fact(earlier, "Known before")).toHaveText("10");
  await expect(begin).toBeVisible();
  await accessible(page);
  // Another one is given up.
  await earlier.getByLabel("From", { exact: true }).fill("2026-01-01");
  await begin.click();
  await earlier.getByRole("button", { name: "Stop reading" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Stop reading" }).click();
  await expect(earlier.getByText("cancelled", { exact: true })).toBeVisible();
});

test("what was set aside is looked at, taken in once it is mended, or discarded", async ({ page, request }) => {
  await signIn(page);
  await open(page, "/sources");
  await page.getByRole("row").filter({ hasText: "asks a system" }).getByRole("link", { name: /^\d+$/ }).click();
  await settled(page);
  const aside = page.getByRole("region", { name: "Set aside" });
  const record = (reason) => aside.getByRole("listitem").filter({ hasText: reason });
  await expect(record("it has no date").first()).toBeVisible();
  await expect(record("other.kind").first()).toBeVisible();
  await record("it has no date").first().getByText("Look at it").click();
  // Text of others is text.
  await expect(record("it has no date").first()).toContainText("<b>310</b>");
  await accessible(page);
  await page.setViewportSize({ width: 320, height: 800 });
  await fits(page);
  await page.setViewportSize({ width: 1280, height: 900 });
  const mended = await request.post(`${FEED}/__stand/settings`, { data: { replace: [310, { type: "fed.item", id: "mended", time: "2026-01-01T05:10:00Z", data: { n: 310 } }] } });
  expect(mended.status()).toBe(204);
  await record("it has no date").first().getByRole("button", { name: "Try again" }).click();
  await expect(page.getByText(/^Taken in: /)).toBeVisible();
  await expect(record("it has no date")).toHaveCount(0);
  await record("other.kind").first().getByRole("button", { name: "Discard" }).click();
  const question = page.getByRole("dialog");
  await accessible(page);
  await question.getByRole("button", { name: "Discard" }).click();
  await expect(question).toBeHidden();
  await expect(record("other.kind")).toHaveCount(0);
  await expect(aside).toContainText("Nothing is set aside.");
  // What is set aside while somebody looks comes to the list by itself.
  const late = await request.post(`${FEED}/__stand/settings`, { data: { add: { type: "fed.item", id: "late", bad: "it came while somebody looked", data: {} } } });
  expect(late.status()).toBe(204);
  await expect(record("it came while somebody looked").first()).toBeVisible();
  await open(page, "/events?source=/sources/in&type=fed.item");
  await expect(page.getByRole("link", { name: "mended", exact: true })).toBeVisible();
});

test("a subscriber that was disabled is tried, sent to again, and told what it has missed", async ({ page, request }) => {
  await signIn(page);
  await open(page, "/webhooks");
  const gone = page.getByRole("region", { name: "gone" });
  await expect(gone.getByText("disabled", { exact: true })).toBeVisible();
  await expect(gone).toContainText("Nothing is sent to it any more.");
  await expect(gone).toContainText("503");
  await gone.getByRole("button", { name: "Send a test to gone" }).click();
  await expect(gone.getByText("did not take it")).toBeVisible();
  await accessible(page);
  // Its secret was rotated: for a while the former one signs, too.
  const partner = page.getByRole("region", { name: "partner" });
  await expect(fact(partner, "Secrets that sign")).toHaveText("2");
  await partner.getByRole("link", { name: "1 taken" }).click();
  await settled(page);
  await expect(page.getByRole("row").filter({ hasText: "succeeded" })).toHaveCount(1);
  await page.goBack();

  expect((await request.post(`${SINK}/__stand/reset`)).status()).toBe(204);
  await gone.getByRole("button", { name: "Send a test to gone" }).click();
  await expect(gone.getByText("took it", { exact: true })).toBeVisible();
  await gone.getByRole("button", { name: "Send to gone again" }).click();
  const question = page.getByRole("dialog");
  await expect(question.getByRole("heading", { name: "Replay 1 dead letter?" })).toBeVisible();
  await accessible(page);
  await question.getByRole("button", { name: "Replay" }).click();
  await expect(gone.getByText("ok", { exact: true })).toBeVisible();
  await expect(gone.getByRole("link", { name: "1 taken" })).toBeVisible();
  await expect(gone.getByRole("link", { name: /dead letter/ })).toHaveCount(0);
  await page.setViewportSize({ width: 320, height: 800 });
  await accessible(page);
  await fits(page);
});

test("who may only look is told what handling takes", async ({ page }) => {
  await signIn(page, process.env.SANGAM_VIEWER);
  await open(page, "/sources/in");
  for (const name of [/^Pause/, /^Read it/]) await expect(page.getByRole("button", { name })).toHaveAccessibleName(/permission to operate/);
  await open(page, "/webhooks");
  await expect(page.getByRole("button", { name: /^Send a test to gone/ })).toHaveAttribute("aria-disabled", "true");
});
