// People who log in at their organisation's provider; two hosts of one store; and a host that is lost while somebody looks.
import { accessible, expect, open, settled, test } from "../console.mjs";

const OTHER = process.env.SANGAM_OTHER;

/** The provider's own pages wish for a font and an icon that are not here. */
test.beforeEach(async ({ page, allow }) => {
  await page.context().route((url) => url.protocol === "https:", (route) => route.abort());
  for (const pattern of [/\(https:/, /favicon\.ico/, /status of 401/]) allow(pattern);
});

/** Logs in from the sign-in page, through the provider's own pages. */
async function logIn(page, account) {
  await page.getByRole("link", { name: /^Log in with/ }).click();
  await page.locator("input[name=login]").fill(account);
  await page.locator("input[name=password]").fill("any");
  await page.locator("[type=submit]").click();
  // What the person agrees to, the first time.
  const host = new URL(process.env.SANGAM_URL).host;
  while (new URL(page.url()).host !== host) {
    await page.locator("[type=submit]").click();
    await page.waitForLoadState();
  }
  await settled(page);
}

test("people log in, come to the page they wanted, may what their role says, and are logged out by an administrator", async ({ page, browser }) => {
  await page.goto("/tokens");
  await accessible(page);
  await logIn(page, "admin-ann");
  await expect(page).toHaveURL(/\/tokens$/);
  await expect(page.locator(".who")).toContainText("admin-ann");
  // A login is a cookie that no script sees.
  expect(await page.evaluate(() => [sessionStorage.length, document.cookie])).toEqual([0, ""]);

  const context = await browser.newContext();
  await context.route((url) => url.protocol === "https:", (route) => route.abort());
  const vera = await context.newPage();
  await vera.goto("/events");
  await logIn(vera, "vera");
  await expect(vera.locator(".who")).toContainText("viewer");
  await open(vera, "/routes");
  await expect(vera.getByRole("button", { name: /^Read the configuration anew/ })).toHaveAttribute("aria-disabled", "true");
  // The session is the store's: the other host knows it, too.
  await open(vera, `${OTHER}/flow`);
  await expect(vera.locator(".who")).toContainText("vera");
  await open(vera, `${process.env.SANGAM_URL}/flow`);

  await page.reload();
  await settled(page);
  const sessions = page.getByRole("region", { name: "Who is logged in" });
  await expect(sessions.getByRole("row")).toHaveCount(3);
  await expect(sessions.getByRole("row").filter({ hasText: "admin-ann" })).toContainText("(you)");
  await accessible(page);
  await sessions.getByRole("button", { name: /^Log vera.* out$/ }).click();
  await accessible(page);
  await page.getByRole("dialog").getByRole("button", { name: "Log out" }).click();
  await expect(sessions.getByRole("row")).toHaveCount(2);
  await vera.getByRole("link", { name: "Events", exact: true }).click();
  await expect(vera.getByRole("heading", { name: "Sign in" })).toBeVisible();
  await context.close();
  await page.getByRole("button", { name: "Sign out" }).click();
  await expect(page.getByRole("heading", { name: "Sign in" })).toBeVisible();
  await page.goto("/tokens");
  await expect(page.getByRole("heading", { name: "Sign in" })).toBeVisible();
});

test("both hosts of a store are seen, and the one that is lost is missed", async ({ page }) => {
  await page.goto("/system");
  await logIn(page, "admin-ann");
  const hosts = page.getByRole("region", { name: "Hosts of this store" });
  await expect(hosts.getByText("alive", { exact: true })).toHaveCount(2);
  process.kill(Number(process.env.SANGAM_OTHER_PROCESS), "SIGKILL");
  await expect(hosts.getByText("gone", { exact: true })).toHaveCount(1, { timeout: 60_000 });
  await accessible(page);
  await open(page, "/");
  await expect(page.getByRole("link", { name: "1 host no longer answers" })).toBeVisible();
  await accessible(page);
  await open(page, "/flow");
  await expect(page.getByText("script", { exact: true }).first()).toBeVisible();
});
