// What is set up: plugins beside their limits, credentials, routes, sources, subscribers; and for administrators audit, tokens, the system.
import { readFileSync, writeFileSync } from "node:fs";
import { accessible, expect, fits, open, signIn, test } from "../console.mjs";

test("a plugin that fails is found in the list, and its page says what it may do and what it has used", async ({ page }) => {
  await signIn(page);
  await open(page, "/plugins");
  const row = page.getByRole("row").filter({ has: page.getByRole("link", { name: "s", exact: true }) });
  await row.getByRole("link", { name: "s", exact: true }).click();
  await expect(page.getByRole("heading", { level: 1, name: "s" })).toBeVisible();
  const use = page.getByRole("region", { name: "Use against limits" });
  await expect(use.getByRole("img", { name: /^Memory: .+ of / })).toBeVisible();
  await expect(page.getByRole("region", { name: "Permissions" })).toContainText("http://127.0.0.1");
  const failures = page.getByRole("region", { name: "Recent dead letters" });
  await expect(failures.getByText("rejected", { exact: true })).toBeVisible();
  await expect(failures).toContainText("422");
  await accessible(page);
  const action = page.getByRole("region", { name: "Actions and streams" }).locator("details").first();
  await action.locator("summary").first().press("Enter");
  await action.getByRole("tab", { name: "Output" }).click();
  await expect(action.getByRole("tabpanel")).toBeVisible();
  await accessible(page);
  await page.setViewportSize({ width: 320, height: 800 });
  await fits(page);
});

test("a mistake in the configuration is shown with its line, and the present one stays", async ({ page, allow }) => {
  allow(/status of 422/);
  await signIn(page, process.env.SANGAM_ADMIN);
  await open(page, "/routes");
  await expect(page.getByRole("link", { name: "script", exact: true })).toBeVisible();
  await page.getByRole("button", { name: "Read the configuration anew" }).click();
  const alert = page.getByRole("alert");
  await expect(alert).toContainText(/The configuration has \d+ mistake/);
  await expect(alert.getByRole("cell").first()).toHaveText(/^\d+:\d+$/);
  // What is only odd stands apart from what is wrong.
  const [wrong, odd] = [alert.getByRole("table", { name: /mistake/ }), alert.getByRole("table", { name: "Allowed, but probably not meant" })];
  await expect(wrong).toContainText("no-such-plugin");
  await expect(wrong).not.toContainText("nobody verifies");
  await expect(odd).toContainText("nobody verifies");
  await expect(odd).not.toContainText("no-such-plugin");
  await accessible(page);
  await expect(page.getByRole("link", { name: "script", exact: true })).toBeVisible();
});

test("a configuration that is mended is applied, and what in it is only odd is told with its line until it is closed", async ({ page }) => {
  const { SANGAM_FILE: file, SANGAM_MISTAKE: mistake } = process.env;
  writeFileSync(file, readFileSync(file, "utf8").replace(mistake, ""));
  await signIn(page, process.env.SANGAM_ADMIN);
  for (const path of ["/routes", "/system"]) {
    await open(page, path);
    await page.getByRole("button", { name: "Read the configuration anew" }).click();
    const told = page.getByRole("main").getByRole("status").filter({ hasText: "Revision 2 of the configuration is in force" });
    const odd = told.getByRole("table", { name: "Allowed, but probably not meant" });
    await expect(odd.getByRole("cell").first()).toHaveText(/^\d+:\d+$/);
    await expect(odd).toContainText("nobody verifies");
    await expect(page.getByRole("alert")).toHaveCount(0);
    await accessible(page);
    await page.setViewportSize({ width: 320, height: 800 });
    await fits(page);
    await page.setViewportSize({ width: 1280, height: 900 });
    await told.getByRole("button", { name: "Close" }).click();
    await expect(told).toHaveCount(0);
  }
});

test("who may only look sees why the configuration is not read anew for them", async ({ page }) => {
  await signIn(page);
  await open(page, "/routes");
  const reload = page.getByRole("button", { name: /^Read the configuration anew/ });
  await expect(reload).toHaveAttribute("aria-disabled", "true");
  await expect(reload).toHaveAccessibleName(/it takes the permission to administer/);
});

test("a source is paused with a reason and resumed, and subscribers are tried", async ({ page }) => {
  await signIn(page, process.env.SANGAM_ADMIN);
  await open(page, "/sources");
  await page.getByRole("link", { name: "nightly", exact: true }).click();
  await page.getByRole("button", { name: "Pause", exact: true }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Why").fill("the night is short");
  await accessible(page);
  await dialog.getByRole("button", { name: "Pause", exact: true }).click();
  await expect(page.getByText("It is paused.")).toBeVisible();
  await expect(page.locator(".notice").getByText("the night is short")).toBeVisible();
  await page.getByRole("button", { name: "Resume" }).click();
  await expect(page.getByText("It is paused.")).toHaveCount(0);
  await accessible(page);
  await open(page, "/webhooks");
  const subscriber = page.getByRole("region", { name: "partner" });
  await subscriber.getByRole("button", { name: "Send a test to partner" }).click();
  await expect(subscriber.getByText("took it")).toBeVisible();
  await accessible(page);
  await open(page, "/sources/deliveries");
  await expect(page.getByText("/hooks/deliveries")).toBeVisible();
  await accessible(page);
});

test("a token is made, shown once, works, and is revoked; the log says who did it", async ({ page, request, browser }) => {
  await signIn(page, process.env.SANGAM_ADMIN);
  await open(page, "/tokens");
  await page.getByRole("button", { name: "Make a token" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: "Make a token" }).click();
  await expect(dialog.getByRole("alert")).toContainText("Give it a name");
  await dialog.getByLabel("Name").fill("a wallboard");
  await dialog.getByLabel("Role").selectOption("viewer");
  await accessible(page);
  await dialog.getByLabel("Name").press("Enter");
  const text = await dialog.locator("[data-secret=token]").textContent();
  await accessible(page);
  const asks = () => request.get("/v1/me", { headers: { authorization: `Bearer ${text}` } }).then((answer) => answer.status());
  expect(await asks()).toBe(200);
  await dialog.getByRole("button", { name: "I have it" }).click();
  await expect(page.getByText(text)).toHaveCount(0);
  // Where it is in use it ends by itself, on a page that asks for nothing, too.
  const wall = await browser.newContext();
  const board = await wall.newPage();
  await signIn(board, text);
  await open(board, "/routes");
  await expect(board.getByText("Live", { exact: true })).toBeVisible();
  await page.getByRole("button", { name: "Revoke a wallboard" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Revoke" }).click();
  await expect(page.getByRole("row").filter({ hasText: "a wallboard" }).getByText("revoked", { exact: true })).toBeVisible();
  expect(await asks()).toBe(401);
  await expect(board.getByRole("heading", { name: "Sign in" })).toBeVisible();
  await expect(board.getByText("You are signed out")).toBeVisible();
  await wall.close();
  await open(page, "/audit");
  await page.getByLabel("What", { exact: true }).selectOption("token.revoked");
  await expect(page).toHaveURL(/action=token\.revoked/);
  const entry = page.getByRole("row").filter({ hasText: "a wallboard" });
  await expect(entry).toHaveCount(1);
  await expect(entry).toContainText("admin");
  await accessible(page);
});

test("the system tells of its hosts, its room and its revisions", async ({ page }) => {
  await signIn(page);
  await open(page, "/system");
  await expect(page.getByRole("region", { name: "Hosts of this store" }).getByText("alive")).toBeVisible();
  await page.getByRole("button", { name: "Show revision 2" }).click();
  const dialog = page.getByRole("dialog");
  await expect(dialog.getByText("webhooks", { exact: false }).first()).toBeVisible();
  await accessible(page);
  await dialog.getByRole("tab", { name: "Text" }).click();
  await expect(dialog.getByRole("group", { name: "Text" })).toContainText("[[routes]]");
  await accessible(page);
  await page.keyboard.press("Escape");
  await expect(dialog).toHaveCount(0);
  await open(page, "/credentials");
  await expect(page.getByRole("heading", { level: 1, name: "Credentials" })).toBeVisible();
});
