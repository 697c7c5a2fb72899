// Events and one event: found by filters, keyboard and link; followed as they come; read step by step; tried out, replayed, decided on, erased.
import { accessible, expect, fits, open, settled, signIn, test } from "../console.mjs";

const { SANGAM_DEAD: DEAD, SANGAM_DONE: DONE, SANGAM_HELD: HELD, SANGAM_BULK: BULK } = process.env;
const rows = (page) => page.locator(".events-table tbody tr:not(.spacer)");
const row = (page, id) => page.getByRole("row").filter({ has: page.getByRole("link", { name: id, exact: true }) });

const number = (text) => new Intl.NumberFormat("en-GB").format(Number(text));

/** What a sender does. */
async function send(request, id, lines = []) {
  const answer = await request.post("/v1/events", {
    headers: { authorization: `Bearer ${process.env.SANGAM_ADMIN}`, "content-type": "application/cloudevents+json" },
    data: JSON.stringify({ specversion: "1.0", id, source: "/test", type: "script", data: { lines } }),
  });
  expect(answer.status()).toBe(202);
}

test("events are found by what one knows of them, and the view is a link", async ({ page }) => {
  await signIn(page);
  await open(page, "/events?type=script");
  await expect(row(page, "refused")).toContainText("dead letter");
  await accessible(page);
  await page.getByLabel("Status").selectOption("dead");
  await expect(page).toHaveURL(/status=dead/);
  await expect(rows(page)).toHaveCount(1);
  await page.getByLabel("Text").fill("no such text");
  await expect(page.getByText("No event fits these filters")).toBeVisible();
  await accessible(page);
  const chips = page.getByRole("list", { name: "Filters that are set" });
  await expect(chips.getByRole("button")).toHaveCount(4);
  await chips.getByRole("button", { name: /no such text/ }).click();
  await expect(page.getByLabel("Text")).toHaveValue("");
  await expect(rows(page)).toHaveCount(1);
  await page.reload();
  await settled(page);
  await expect(page.getByLabel("Status")).toHaveValue("dead");
  await expect(rows(page)).toHaveCount(1);
  await page.getByRole("button", { name: "Clear all filters" }).click();
  // Arrows go from row to row, Enter opens one.
  await page.getByLabel("Type").fill("script");
  await expect(page).toHaveURL(/type=script/);
  await expect(row(page, "refused")).toBeVisible();
  const links = page.locator(".events-table tbody td:first-child a");
  await links.first().focus();
  await page.keyboard.press("ArrowDown");
  await expect(links.nth(1)).toBeFocused();
  await page.keyboard.press("ArrowUp");
  await expect(links.first()).toBeFocused();
  const id = await links.first().textContent();
  await page.keyboard.press("Enter");
  await settled(page);
  await expect(page.getByRole("heading", { level: 1 })).toHaveText(id.trim());
});

test("on a telephone the list says what became of each event, and when", async ({ page }) => {
  await page.setViewportSize({ width: 360, height: 760 });
  await signIn(page);
  await open(page, "/events?type=script");
  await row(page, "refused").scrollIntoViewIfNeeded();
  for (const text of ["dead letter", /ago|now/]) await expect(row(page, "refused").getByText(text).filter({ visible: true })).toBeInViewport({ ratio: 1 });
  await fits(page);
  await accessible(page);
  // The filters leave the screen to the events; one that is set is seen all the same.
  await expect(page.getByLabel("Type", { exact: true })).toBeHidden();
  await expect(page.getByRole("list", { name: "Filters that are set" })).toContainText("script");
  await page.getByRole("button", { name: "Clear all filters" }).click();
  await expect(rows(page).first()).toBeInViewport();
  // Whoever goes down by keyboard keeps what is focused in sight, also where rows are drawn as they come: narrow, and where columns are left out.
  for (const width of [360, 768]) {
    await page.setViewportSize({ width, height: 760 });
    await open(page, "/events?type=bulk");
    await rows(page).first().getByRole("link").focus();
    for (let n = 0; n < 60; n += 1) await page.keyboard.press("ArrowDown");
    await expect(page.locator("tbody a:focus")).toBeInViewport({ ratio: 0.9 });
  }
});

test("new events announce themselves, and come by themselves to who follows", async ({ page, request }) => {
  await signIn(page);
  await open(page, "/events?type=script");
  await expect(row(page, "refused")).toBeVisible();
  const last = Date.now();
  await send(request, `tail-${last}`);
  const news = page.getByRole("button", { name: "1 new" });
  await expect(news).toBeVisible();
  await expect(row(page, `tail-${last}`)).toHaveCount(0);
  await news.click();
  await expect(row(page, `tail-${last}`)).toContainText("succeeded");
  await page.getByRole("button", { name: "Follow" }).click();
  await expect(page.getByText("New events appear by themselves")).toBeVisible();
  await send(request, `follow-${last}`);
  await expect(row(page, `follow-${last}`)).toBeVisible();
  // Who reads is not disturbed.
  await row(page, `follow-${last}`).hover();
  await expect(page.getByText("Held back while you read")).toBeVisible();
  await send(request, `held-${last}`);
  await expect(page.getByRole("button", { name: "1 new" })).toBeVisible();
  await expect(row(page, `held-${last}`)).toHaveCount(0);
  await page.mouse.move(1, 1);
  await expect(row(page, `held-${last}`)).toBeVisible();
});

test("of thousands of events only those in sight are drawn, each once, and scrolling reads the others", async ({ page }) => {
  // Every text of an event goes through this when it is drawn.
  await page.addInitScript(() => {
    const matchAll = String.prototype.matchAll;
    globalThis.drawn = 0;
    String.prototype.matchAll = function (pattern) {
      globalThis.drawn += 1;
      return matchAll.call(this, pattern);
    };
  });
  await signIn(page);
  await open(page, "/events?type=bulk");
  const frame = page.locator(".events-table .table-frame");
  const table = frame.locator("table");
  // The frame stands from the beginning: more rows move nothing on the page.
  await expect(frame).toHaveClass(/windowed/);
  const height = (await frame.boundingBox()).height;
  await expect(table).toHaveAttribute("aria-rowcount", "-1");
  await expect(async () => {
    await frame.evaluate((element) => element.scrollTo(0, element.scrollHeight));
    await expect(page.getByText(`${number(BULK)} events shown`)).toBeVisible({ timeout: 500 });
  }).toPass();
  await expect(page.getByText("There are no older ones")).toBeVisible();
  expect((await frame.boundingBox()).height).toBe(height);
  await expect(table).toHaveAttribute("aria-rowcount", String(Number(BULK) + 1));
  expect(await rows(page).count()).toBeLessThan(100);
  await accessible(page);

  // Back to the newest, three rows at a time: a row that stays in sight is neither made anew nor drawn again.
  const { size, passed, made, drawn } = await frame.evaluate(async (element) => {
    const frames = () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    const row = element.querySelector("tbody tr:not(.spacer)").offsetHeight;
    await frames();
    const from = element.scrollTop;
    let made = 0;
    const watcher = new MutationObserver((changes) => changes.forEach((change) => change.addedNodes.forEach((node) => (made += node.nodeName === "TR"))));
    watcher.observe(element.querySelector("tbody"), { childList: true });
    globalThis.drawn = 0;
    for (let step = 0; step < 100; step += 1) {
      element.scrollTop -= 3 * row;
      await frames();
    }
    watcher.disconnect();
    return { size: element.querySelectorAll("*").length, passed: Math.round((from - element.scrollTop) / row), made, drawn: globalThis.drawn };
  });
  expect(passed).toBeGreaterThanOrEqual(290);
  expect(size, "elements of the table").toBeLessThan(2_500);
  expect(made, `rows that were made for ${passed} that went by`).toBeLessThan(1.3 * passed);
  // A row has five texts; its source and routes count as one each.
  expect(drawn, `texts that were drawn for ${passed} rows that went by`).toBeLessThan(10 * passed);

  // The keyboard reaches both ends, and whoever scrolls away from their row stays in the table.
  const links = frame.locator("tbody td:first-child a");
  await links.first().focus();
  await page.keyboard.press("End");
  await expect(links.last()).toBeFocused();
  await expect(frame.locator("tbody tr:not(.spacer)").last()).toHaveAttribute("aria-rowindex", String(Number(BULK) + 1));
  await frame.evaluate((element) => element.scrollTo(0, 0));
  await expect(frame).toBeFocused();
  await page.keyboard.press("ArrowDown");
  await expect(links.first()).toBeFocused();

  const download = page.waitForEvent("download");
  await page.getByRole("button", { name: "CSV" }).click();
  const stream = await (await download).createReadStream();
  let text = "";
  for await (const piece of stream) text += piece;
  expect(text.split("\r\n")).toHaveLength(Number(BULK) + 1);
  // What a spreadsheet would take for a formula is text.
  expect(text).toContain("'=1+1");
});

test("an event tells step by step what was done, why it failed, and what a replay would do; replayed, it is seen to succeed", async ({ page }) => {
  await signIn(page);
  await open(page, `/events/${DEAD}`);
  const steps = page.getByRole("list", { name: "Steps of route script, in their order" });
  await expect(steps.locator(".step-reason")).toContainText("422");
  await expect(steps.getByRole("table", { name: "What attempt 1 of step run did outside" })).toContainText("/refused");
  await expect(steps.getByRole("list", { name: "Log lines of step run" })).toContainText("tries");
  await expect(steps.locator(".logs .hidden-character")).toContainText("202e");
  await accessible(page);
  await page.getByRole("button", { name: "Hide details run" }).click();
  await page.getByRole("button", { name: "Details run" }).click();
  await expect(page).toHaveURL(/step=run/);
  await page.getByRole("tab", { name: "Raw" }).click();
  await expect(page).toHaveURL(/tab=raw/);
  await page.reload();
  await settled(page);
  await expect(page.getByText("curl -X POST")).toBeVisible();
  await accessible(page);
  await page.getByRole("tab", { name: "Runs" }).click();

  await page.getByRole("button", { name: "Replay", exact: true }).click();
  const dialog = page.getByRole("dialog");
  await expect(dialog.getByLabel("From the step that failed")).toBeChecked();
  await dialog.getByRole("button", { name: "Dry run" }).click();
  await expect(dialog.getByText("would send", { exact: true })).toBeVisible();
  await expect(dialog.getByText("The request is the same as then")).toBeVisible();
  await accessible(page);
  await dialog.getByLabel("New ones").check();
  await expect(dialog.getByRole("button", { name: /^Do it all again/ })).toHaveAttribute("aria-disabled", "true");
  await dialog.getByLabel("The same").check();
  await dialog.getByLabel("From the step that failed").check();
  await dialog.getByRole("button", { name: "Replay", exact: true }).click();
  await expect(dialog).toBeHidden();
  await expect(page.locator(".event-facts .status")).toHaveText("succeeded");
  const runs = page.getByRole("navigation", { name: "Runs" });
  await expect(runs.getByRole("link")).toHaveCount(2);
  await runs.getByRole("link", { name: /first run/ }).click();
  await expect(page.getByText("A replay has taken the place of this run")).toBeVisible();
  await page.setViewportSize({ width: 320, height: 700 });
  await fits(page);
  await accessible(page);
});

test("a write in doubt is decided on by a person, and the run goes on", async ({ page }) => {
  await signIn(page);
  await open(page, `/events/${HELD}`);
  await expect(page.getByText("A person has to decide")).toBeVisible();
  await expect(page.getByText("held for a decision").first()).toBeVisible();
  await accessible(page);
  await page.getByRole("button", { name: "It was done" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Body of the answer").fill('{"ok":true}');
  await accessible(page);
  await dialog.getByRole("button", { name: "It was done" }).click();
  await expect(dialog).toBeHidden();
  await expect(page.locator(".event-facts .status")).toHaveText("succeeded");
});

test("who may only look is told why, and an administrator erases", async ({ page, browser }) => {
  await signIn(page, process.env.SANGAM_VIEWER);
  await open(page, `/events/${DONE}`);
  const refused = page.getByRole("button", { name: /^Replay/ });
  await expect(refused).toHaveAttribute("aria-disabled", "true");
  await expect(refused).toContainText("operate");
  const context = await browser.newContext({ baseURL: process.env.SANGAM_URL });
  const admin = await context.newPage();
  await signIn(admin, process.env.SANGAM_ADMIN);
  await open(admin, `/events/${DONE}`);
  await admin.getByRole("button", { name: "Erase" }).click();
  await admin.getByRole("dialog").getByRole("button", { name: "Erase for good" }).click();
  await expect(admin.getByText(/^Its personal data were erased on/)).toBeVisible();
  await expect(admin.getByRole("button", { name: /^Replay/ })).toHaveAttribute("aria-disabled", "true");
  await context.close();
});
