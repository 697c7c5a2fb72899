// A plugin with another version on trial: its share and figures as they grow, and that it is taken back.
import { accessible, expect, fits, open, signIn, test } from "../console.mjs";

/** Ten events whose runs the two versions share. */
async function send(request, batch) {
  const events = Array.from({ length: 10 }, (_, n) => ({ specversion: "1.0", id: `${batch}-${n}`, source: "/test", type: "script", data: { lines: [] } }));
  const answer = await request.post("/v1/events?wait=30s", {
    headers: { authorization: `Bearer ${process.env.SANGAM_ADMIN}`, "content-type": "application/cloudevents-batch+json" },
    data: JSON.stringify(events),
  });
  expect([200, 202]).toContain(answer.status());
}

test("a version on trial is compared with the one in use, and taken back when it fails too often", async ({ page, request }) => {
  await signIn(page);
  await open(page, "/plugins/s");
  const canary = page.getByRole("region", { name: "Canary" });
  await expect(canary.getByText("on trial", { exact: true })).toBeVisible();
  await expect(canary).toContainText("50%");
  await expect(canary).toContainText("20%");
  // It asks for other things than the one in use.
  await expect(canary.getByRole("heading", { name: "What it asks for no more" })).toBeVisible();
  await expect(canary).toContainText("stream feed");
  await send(request, "first");
  const cells = (name) => canary.getByRole("row").filter({ hasText: name }).getByRole("cell");
  // As it happens: both have had calls, of which only those on trial have failed.
  await expect(cells("On trial").nth(1)).not.toHaveText("0");
  await expect(cells("Stable").nth(2)).toHaveText("0");
  await expect(cells("On trial").nth(3)).toHaveText("100%");
  await expect(cells("Stable").nth(3)).toHaveText("0%");
  await accessible(page);
  for (let batch = 0; batch < 20 && (await canary.getByText("rolled back", { exact: true }).count()) === 0; batch += 1) await send(request, `more-${batch}`);
  await expect(canary.getByText("rolled back", { exact: true })).toBeVisible();
  await expect(canary).toContainText("max-error-rate");
  await accessible(page);
  await page.setViewportSize({ width: 320, height: 800 });
  await fits(page);
  await open(page, "/plugins");
  await page.setViewportSize({ width: 1280, height: 900 });
  const row = page.getByRole("row").filter({ has: page.getByRole("link", { name: "s", exact: true }) });
  await expect(row.getByText("rolled back", { exact: true })).toBeVisible();
  await accessible(page);
});
