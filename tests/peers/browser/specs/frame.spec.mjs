// The frame: signing in and out, languages, colours, narrow windows, the keyboard; and axe on every page.
import { existsSync } from "node:fs";
import { accessible, expect, fits, open, settled, signIn, test } from "../console.mjs";

const HERE = new URL("../../../../host/console/", import.meta.url);

/** The pages of the table in `app.js`, with the paths of real things in place of names. */
const PATHS = {
  overview: "/", flow: "/flow", events: "/events", event: `/events/${process.env.SANGAM_EID}`, "dead-letters": "/dead-letters", plugins: "/plugins",
  plugin: "/plugins/s", credentials: "/credentials", routes: "/routes", route: "/routes/script", sources: "/sources", source: "/sources/none", webhooks: "/webhooks", audit: "/audit",
  tokens: "/tokens", system: "/system",
};
const PAGES = Object.entries(PATHS).filter(([name]) => existsSync(new URL(`pages/${name}.js`, HERE)));

test("whoever is not signed in is asked to, and comes to the page that was wanted", async ({ page, allow }) => {
  allow(/status of 401/);
  await page.goto("/flow?q=x");
  await expect(page.getByRole("heading", { name: "Sign in" })).toBeVisible();
  await accessible(page);
  const field = page.getByLabel("API token");
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByText("Enter an API token.")).toBeVisible();
  await expect(field).toBeFocused();
  await field.fill("sgm_no-such-token");
  await field.press("Enter");
  await expect(page.locator(".error")).toBeVisible();
  await expect(field).toHaveAttribute("aria-invalid", "true");
  await field.fill(process.env.SANGAM_TOKEN);
  await field.press("Enter");
  await settled(page);
  expect(new URL(page.url()).pathname + new URL(page.url()).search).toBe("/flow?q=x");
  // The token is this tab's: nothing outlives it.
  expect(await page.evaluate(() => [localStorage.length, document.cookie])).toEqual([0, ""]);
  await page.reload();
  await settled(page);
  await page.getByRole("button", { name: "Sign out" }).click();
  await expect(page.getByRole("heading", { name: "Sign in" })).toBeVisible();
  expect(await page.evaluate(() => sessionStorage.length)).toBe(0);
});

test("a token that ends while the console is open leads to the sign-in page, which says why", async ({ page, allow }) => {
  allow(/status of 401/);
  await signIn(page);
  await open(page, "/");
  await page.evaluate(() => sessionStorage.setItem("sangam.token", "sgm_ended"));
  await page.getByRole("link", { name: "Flow", exact: true }).click();
  await expect(page.getByRole("heading", { name: "Sign in" })).toBeVisible();
  await expect(page.getByText("You are signed out")).toBeVisible();
});

test("the console speaks the reader's language, with its digits, and remembers another", async ({ browser }) => {
  const context = await browser.newContext({ locale: "bn-BD" });
  const page = await context.newPage();
  await signIn(page);
  await open(page, "/flow");
  await expect(page.locator("html")).toHaveAttribute("lang", "bn");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("প্রবাহ");
  await page.getByLabel("ভাষা").selectOption("hi");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("प्रवाह");
  await page.reload();
  await expect(page.locator("html")).toHaveAttribute("lang", "hi");
  await accessible(page);
  await context.close();
});

test("who may not see a page is told so once, and what it takes", async ({ page, request, browser }) => {
  await signIn(page);
  await open(page, "/tokens");
  await expect(page.getByRole("main")).toContainText("it takes the permission to administer");
  await expect(page.getByRole("alert")).toHaveCount(0);
  await accessible(page);
  await page.getByRole("main").getByRole("link", { name: "To the overview" }).click();
  await expect(page.getByText("All is well").or(page.getByText("This needs attention"))).toBeVisible();
  // A sender sends, and sees nothing at all.
  const headers = { authorization: `Bearer ${process.env.SANGAM_ADMIN}` };
  const made = await request.post("/v1/tokens", { headers, data: { name: "a till", role: "sender", expires: "1d" } });
  const context = await browser.newContext();
  const till = await context.newPage();
  await signIn(till, (await made.json()).token);
  await open(till, "/events");
  await expect(till.getByRole("main")).toContainText("it takes the permission to read");
  await expect(till.getByRole("link", { name: "Events", exact: true })).toHaveAttribute("title", /permission to read/);
  await expect(till.getByRole("link", { name: "To the overview" })).toHaveCount(0);
  await context.close();
});

test("a path without a page says so and leads back", async ({ page, allow }) => {
  allow(/status of 404.*nowhere/);
  await signIn(page);
  await open(page, "/nowhere");
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("There is nothing here");
  await page.getByRole("link", { name: "To the overview" }).click();
  await expect(page).toHaveTitle(/Overview/);
});

test("colours follow the system until they are chosen", async ({ page }) => {
  const background = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  await signIn(page);
  await page.emulateMedia({ colorScheme: "dark" });
  await open(page, "/flow");
  const dark = await background();
  await page.emulateMedia({ colorScheme: "light" });
  const light = await background();
  expect(light).not.toBe(dark);
  const turn = page.getByRole("button", { name: /^Colours/ });
  await turn.click();
  await turn.click();
  await expect.poll(background).toBe(dark);
  await page.reload();
  await settled(page);
  expect(await background()).toBe(dark);
  await turn.click();
  await expect.poll(background).toBe(light);
});

test("everything is reached by keyboard, and the focus goes where the reader goes", async ({ page }) => {
  await signIn(page);
  await open(page, "/flow");
  await page.keyboard.press("Tab");
  await expect(page.getByRole("link", { name: "Skip to the content" })).toBeFocused();
  await page.keyboard.press("Enter");
  await expect(page.locator("main")).toBeFocused();
  await page.getByRole("link", { name: "Overview", exact: true }).focus();
  await page.keyboard.press("Enter");
  await expect(page).toHaveTitle(/Overview/);
  await expect(page.locator("main h1")).toBeFocused();
  await page.goBack();
  await expect(page.locator("main h1")).toBeFocused();
  await expect(page).toHaveURL(/\/flow$/);
});

test("a narrow window has a menu that opens, closes and lets go", async ({ page }) => {
  await page.setViewportSize({ width: 320, height: 640 });
  await signIn(page);
  await open(page, "/flow");
  const menu = page.getByRole("button", { name: "Menu" });
  await expect(page.getByRole("link", { name: "Flow", exact: true })).toBeHidden();
  await menu.press("Enter");
  await expect(menu).toHaveAttribute("aria-expanded", "true");
  await accessible(page);
  await page.keyboard.press("Escape");
  await expect(menu).toBeFocused();
  await expect(page.getByRole("link", { name: "Flow", exact: true })).toBeHidden();
  await menu.press("Enter");
  await page.getByRole("link", { name: "Overview", exact: true }).click();
  await expect(page.locator("main h1")).toBeFocused();
  await expect(page.getByRole("link", { name: "Flow", exact: true })).toBeHidden();
});

test("axe finds nothing on any page, light and dark, wide and narrow", async ({ page, allow }) => {
  // All pages, with the time of as many tests.
  test.setTimeout(600_000);
  // No source is configured: its page says so.
  allow(/status of 404.*sources\/none/);
  await signIn(page, process.env.SANGAM_ADMIN);
  const looks = [["light", 1280], ["dark", 768], ["light", 320]];
  for (const [name, path] of PAGES) {
    await test.step(name, async () => {
      // Every other page begins narrow, so that some of them are drawn so from the beginning, others become so.
      looks.reverse();
      for (const [turn, [scheme, width]] of looks.entries()) {
        await page.emulateMedia({ colorScheme: scheme, reducedMotion: "reduce" });
        await page.setViewportSize({ width, height: 900 });
        if (turn === 0) await open(page, path);
        await settled(page);
        await accessible(page);
        await fits(page);
      }
    });
  }
});
