// Flow: the configuration as a graph and as a list, usable with many routes, by mouse and keyboard.
import { accessible, expect, fits, open, signIn, test } from "../console.mjs";

const picture = (page) => page.locator(".flow-frame");
const view = (page) => page.locator(".flow-frame svg > g").getAttribute("transform");

test("the graph leads from a route to its steps, plugins and dead letters", async ({ page }) => {
  await signIn(page);
  await open(page, "/flow?q=script");
  const route = picture(page).getByRole("link", { name: /^Route script: 2 accepted, 1 succeeded.*1 dead letters/ });
  await expect(route).toBeVisible();
  await expect(picture(page).getByRole("link", { name: /^Step run, s\.run/ })).toBeVisible();
  await expect(picture(page).getByRole("link", { name: /^Plugin s,/ })).toBeVisible();
  await accessible(page);
  await picture(page).getByRole("button", { name: "Steps of script" }).press("Enter");
  await expect(picture(page).getByRole("link", { name: /^Step run/ })).toHaveCount(0);
  await expect(picture(page).getByRole("link", { name: /^Plugin s,/ })).toBeVisible();
  await route.press("Enter");
  await expect(page).toHaveURL(/\/dead-letters\?route=script$/);
});

test("what waits by design is told from what runs and what failed, in the graph and in words", async ({ page }) => {
  await signIn(page);
  await open(page, "/flow?q=waits");
  await expect(picture(page).getByRole("link", { name: "Route waits: 1 accepted, 0 succeeded, 0 running, 1 waiting, 0 dead letters" })).toBeVisible();
  const step = picture(page).getByRole("link", { name: /^Step pause, sangam\.wait: .*1 waiting, 0 failed/ });
  await expect(step.locator(".flow-count[data-tone=wait] text")).toHaveText("1");
  await page.getByRole("tab", { name: "List" }).click();
  await expect(page.getByRole("region", { name: "waits", exact: true }).getByText("1 waiting", { exact: true })).toBeVisible();
});

test("senders that feed the same routes are one thing, and the host's own events lead to who wants those alone", async ({ page }) => {
  await signIn(page);
  await open(page, "/flow?q=script");
  const found = await page.evaluate(async () => {
    const { senders } = await import("/console/flow/graph.js");
    const source = (name, accepted) => ({ name, source: name, type: "api", types: [], accepted, refused: 0, set_aside: 0 });
    const route = (name, types, sources = []) => ({ name, types, sources, accepted: 1, steps: [] });
    const routes = [route("all", ["a"]), route("some", ["b"]), route("own", ["sangam.webhook.disabled"]), route("east", ["a"], ["/east"])];
    const all = senders([source("/north", 1), source("/south", 2), source("/east", 4), source("/sangam/webhooks/x", 8)], routes);
    return all.map(({ senders, accepted, fed }) => ({ senders, accepted, fed: [...fed] }));
  });
  expect(found).toEqual([
    { senders: ["/north", "/south"], accepted: 3, fed: ["all", "some", "own"] },
    { senders: ["/east"], accepted: 4, fed: ["all", "some", "own", "east"] },
    { senders: ["/sangam/webhooks/x"], accepted: 8, fed: ["own"] },
  ]);
});

test("thirty routes are filtered, opened and closed, and the graph is moved by keyboard", async ({ page }) => {
  await signIn(page);
  await open(page, "/flow");
  await expect(page.getByText("32 of 32 routes")).toBeVisible();
  await expect(picture(page).getByRole("link", { name: /^Step/ })).toHaveCount(0);
  await picture(page).focus();
  const before = await view(page);
  await page.keyboard.press("ArrowRight");
  await expect.poll(() => view(page)).not.toBe(before);
  const moved = await view(page);
  await page.keyboard.press("+");
  await expect.poll(() => view(page)).not.toBe(moved);
  await page.keyboard.press("0");
  await expect.poll(() => view(page)).toBe(before);
  await page.getByRole("searchbox", { name: "Route, type, step or plugin" }).fill("many-2");
  await expect(page.getByText("11 of 32 routes")).toBeVisible();
  await page.getByRole("button", { name: "Show all steps" }).click();
  await expect(picture(page).getByRole("link", { name: /^Step/ })).toHaveCount(22);
  await page.getByLabel("Only where something failed").check();
  await expect(page.getByText("No route fits the filter")).toBeVisible();
});

test("the list says the same in words, on a narrow window first", async ({ page }) => {
  await page.setViewportSize({ width: 320, height: 800 });
  await signIn(page);
  await open(page, "/flow?q=script");
  const script = page.getByRole("region", { name: "script" });
  await expect(script.getByRole("link", { name: "1 dead letter" })).toHaveAttribute("href", "/dead-letters?route=script");
  await expect(script.getByRole("table", { name: "Steps of script" })).toBeVisible();
  await accessible(page);
  await fits(page);
});
