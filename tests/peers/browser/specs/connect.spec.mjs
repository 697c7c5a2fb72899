// A credential that a person has to agree to: connected at its vendor, taken back by it, seen to be broken, and healed.
import { accessible, expect, fits, open, settled, signIn, test } from "../console.mjs";

const VENDOR = process.env.SANGAM_VENDOR;
const vendor = async (request, settings) => expect((await request.post(`${VENDOR}/__stand/settings`, { data: settings })).status()).toBe(204);
const row = (page) => page.getByRole("row").filter({ has: page.getByText("books", { exact: true }) });

/** An event whose run asks the vendor; its eid. */
async function ask(request, id) {
  const answer = await request.post("/v1/events", {
    headers: { authorization: `Bearer ${process.env.SANGAM_TOKEN}`, "content-type": "application/cloudevents+json" },
    data: JSON.stringify({ specversion: "1.0", id, source: "/test", type: "script", data: { lines: [{ do: "read", url: `${VENDOR}/api/r` }] } }),
  });
  expect(answer.status()).toBe(202);
  return (await answer.json()).accepted[0].eid;
}

/** Goes to the vendor's page from the dialog that is open, and reads what it leads to. */
async function consent(page) {
  const [window] = await Promise.all([page.waitForEvent("popup"), page.getByRole("dialog").getByRole("link", { name: "Go to the vendor's page" }).click()]);
  await expect(window.locator("body")).not.toBeEmpty();
  const text = await window.locator("body").textContent();
  await window.close();
  return text;
}

test("a run waits for a consent, a person gives it, and the run goes on", async ({ page, request, allow }) => {
  // Without a public address of the host the vendor is told the browser's.
  allow(/status of 409/);
  allow(/status of 422/);
  await signIn(page);
  const eid = await ask(request, `waits-${Date.now()}`);
  await open(page, `/events/${eid}`);
  await expect(page.locator("main").getByText("waiting", { exact: true }).first()).toBeVisible();
  // What it waits for is one step away.
  await page.getByRole("link", { name: "To the credentials" }).first().click();
  await expect(page).toHaveURL(/\/credentials$/);
  const ill = page.getByRole("region", { name: "These need somebody" });
  await expect(ill).toContainText("Nobody has agreed to it yet");
  await accessible(page);

  // Somebody says no.
  await vendor(request, { refuse: "access_denied" });
  await ill.getByRole("button", { name: "Connect books" }).click();
  const dialog = page.getByRole("dialog");
  await expect(dialog.getByText("Waiting for the vendor's answer…")).toBeVisible();
  await accessible(page);
  expect(await consent(page)).toContain("access_denied");
  await expect(dialog.getByRole("status")).toContainText("access_denied");
  await accessible(page);
  await dialog.getByRole("button", { name: "Close" }).last().click();
  await expect(dialog).toHaveCount(0);

  await vendor(request, { refuse: null });
  await ill.getByRole("button", { name: "Connect books" }).click();
  expect(await consent(page)).toContain("Connected");
  await expect(dialog.getByRole("status")).toContainText("connected");
  await expect(dialog).toContainText("The host renews the token by itself");
  await accessible(page);
  await page.keyboard.press("Escape");
  await expect(row(page).getByText("ok", { exact: true })).toBeVisible();
  await expect(ill).toHaveCount(0);
  await open(page, `/events/${eid}`);
  await expect(page.locator("main").getByText("succeeded", { exact: true }).first()).toBeVisible();
});

test("what its vendor takes back is seen on the overview, and healed by connecting it again", async ({ page, request, allow }) => {
  allow(/status of 409/);
  await signIn(page);
  await open(page, "/");
  await vendor(request, { revoke: true });
  const eid = await ask(request, `revoked-${Date.now()}`);
  const ill = page.getByRole("link", { name: "1 credential is not well: books" });
  await expect(ill).toBeVisible();
  const card = page.getByRole("region", { name: "Credentials" });
  await expect(card.getByText("broken", { exact: true })).toBeVisible();
  await expect(card).toContainText("invalid_grant");
  await accessible(page);
  await ill.click();
  await settled(page);
  const needs = page.getByRole("region", { name: "These need somebody" });
  await expect(needs).toContainText("invalid_grant");
  await page.setViewportSize({ width: 320, height: 800 });
  await accessible(page);
  await fits(page);
  await needs.getByRole("button", { name: "Connect books again" }).click();
  expect(await consent(page)).toContain("Connected");
  await expect(page.getByRole("dialog").getByRole("status")).toContainText("connected");
  await page.keyboard.press("Escape");
  await expect(needs).toHaveCount(0);
  await page.setViewportSize({ width: 1280, height: 900 });
  await open(page, "/");
  await expect(card.getByText("All that are in use are well.")).toBeVisible();
  await open(page, `/events/${eid}`);
  await expect(page.locator("main").getByText("succeeded", { exact: true }).first()).toBeVisible();
});

test("who may not administer is told that connecting takes it", async ({ page }) => {
  await signIn(page, process.env.SANGAM_VIEWER);
  await open(page, "/credentials");
  const connect = row(page).getByRole("button", { name: /^Connect/ });
  await expect(connect).toHaveAttribute("aria-disabled", "true");
  await expect(connect).toHaveAccessibleName(/administer/);
});
