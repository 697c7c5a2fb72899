// Overview: whoever has never seen the program finds what fails and why, replays it, and sees it succeed; what happens is shown as it happens.
import { accessible, expect, fits, open, settled, signIn, test } from "../console.mjs";

const figure = (page, name) => page.getByRole("list", { name: "Figures" }).getByRole("listitem").filter({ hasText: name }).locator("strong");

/** What a sender does. */
async function send(request, id) {
  const answer = await request.post("/v1/events", {
    headers: { authorization: `Bearer ${process.env.SANGAM_SENDER}`, "content-type": "application/cloudevents+json" },
    data: JSON.stringify({ specversion: "1.0", id, source: "/test", type: "script", data: { lines: [] } }),
  });
  expect(answer.status()).toBe(202);
}

test("a failing plugin is found, its cause read, its dead letters replayed and seen to succeed", async ({ page }) => {
  await signIn(page);
  await open(page, "/");
  await expect(page.getByText("This needs attention")).toBeVisible();
  await expect(page.getByRole("link", { name: "1 plugin fails: s" })).toBeVisible();
  await expect(page.getByRole("link", { name: "3 dead letters wait to be replayed" })).toBeVisible();
  const failing = page.getByRole("region", { name: "What fails, and why" });
  await expect(failing.getByText("rejected", { exact: true })).toBeVisible();
  await expect(failing.locator(".reason")).toContainText("422");
  await accessible(page);
  await failing.getByRole("button", { name: /^Replay 3 dead letters of s/ }).click();
  const question = page.getByRole("dialog");
  await expect(question.getByRole("heading", { name: "Replay 3 dead letters?" })).toBeVisible();
  await accessible(page);
  await question.getByRole("button", { name: "Replay" }).click();
  await expect(question).toBeHidden();
  await expect(page.getByText("3 dead letters are being replayed")).toBeVisible();
  await expect(figure(page, "Dead letters")).toHaveText("0");
  await expect(page.getByText("All is well")).toBeVisible();
  await expect(failing.getByText("works again")).toBeVisible();
  await failing.getByRole("link", { name: "See the event" }).click();
  await settled(page);
  await expect(page.locator("main").getByText("succeeded").first()).toBeVisible();
});

test("many failures are counted whole, and what is told of one is of one", async ({ page }) => {
  await signIn(page);
  await open(page, "/");
  const [found, now, over] = await page.evaluate(async () => {
    const { findings, toldOf } = await import("/console/pages/overview.js");
    const last = { kind: "trap", route: "r", step: "run", eid: "e1", run: "u1" };
    const causes = [{ kind: "rejected", route: "r", step: "run", reason: "closed", sample: { eid: "e2", run: "u2" } }];
    const rows = ["a", "b", "c", "d", "e"].map((plugin) => ({ plugin, since: "2026-01-01T00:00:00Z", letters: 0, causes: [], last }));
    rows.push({ plugin: "works-again", since: null, letters: 1, causes, last });
    return [findings({ credentials: [], hosts: [], dead_letters: 1 }, rows), toldOf({ since: "2026-01-01T00:00:00Z", last, causes }), toldOf({ since: null, last, causes })];
  });
  expect(found.map((one) => one.text)).toEqual(["5 plugins fail: a, b, c and 2 more", "1 dead letter waits to be replayed"]);
  expect(now).toEqual({ kind: "trap", route: "r", step: "run", eid: "e1", run: "u1" });
  expect(over).toEqual({ kind: "rejected", route: "r", step: "run", reason: "closed", eid: "e2", run: "u2" });
});

test("what happens is shown as it happens, in figures and for who does not see plots", async ({ page, request }) => {
  await signIn(page);
  await open(page, "/");
  await expect(page.getByText("Live", { exact: true })).toBeVisible();
  const before = Number(await figure(page, "Events accepted").textContent());
  await send(request, "while-it-is-watched");
  await expect(figure(page, "Events accepted")).toHaveText(String(before + 1));
  const plot = page.getByRole("figure").filter({ hasText: "From acceptance to the end" });
  await expect(plot.getByRole("img", { name: /^Time from acceptance/ })).toBeVisible();
  await plot.getByText("As a table").click();
  await expect(plot.getByRole("table")).toBeVisible();
  await accessible(page);
  await page.getByLabel("Time span").selectOption("1h");
  await expect(page).toHaveURL(/window=1h/);
  await page.reload();
  await settled(page);
  await expect(page.getByLabel("Time span")).toHaveValue("1h");
});

test("who may only look is told why nothing is replayed", async ({ page }) => {
  await signIn(page, process.env.SANGAM_VIEWER);
  await open(page, "/");
  const failing = page.getByRole("region", { name: "What fails, and why" });
  await expect(failing.getByRole("link", { name: "See the event" })).toBeVisible();
  await expect(page.getByRole("dialog")).toHaveCount(0);
  await page.setViewportSize({ width: 320, height: 800 });
  await fits(page);
});
