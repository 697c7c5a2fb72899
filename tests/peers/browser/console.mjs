// What every spec of the console begins with: a page that is signed in, axe, and an eye on what the browser complains of.
import { AxeBuilder } from "@axe-core/playwright";
import { expect, test as base } from "@playwright/test";

export { expect };

/** Waits until the page that was gone to is shown whole: its heading is there, nothing loads. */
export async function settled(page) {
  await expect(page.locator("main h1")).toBeVisible();
  await expect(page.locator("main .loading")).toHaveCount(0);
}

/** Signs in by what a tab keeps, before the first page is loaded. */
export async function signIn(page, token = process.env.SANGAM_TOKEN) {
  await page.addInitScript((text) => sessionStorage.setItem("sangam.token", text), token);
}

/** Goes to a path and waits until it is shown. */
export async function open(page, path) {
  await page.goto(path);
  await settled(page);
}

/** Nothing that axe finds is wrong: WCAG 2.2 AA and its good practices. */
export async function accessible(page) {
  // There are no frames, for whose sake each look would open a page of its own.
  const look = async () => {
    const axe = new AxeBuilder({ page }).setLegacyMode(true).options({ resultTypes: ["violations"] });
    const { violations } = await axe.withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]).analyze();
    return violations.flatMap((violation) => violation.nodes.map((node) => `${violation.id}: ${node.html.slice(0, 300)}\n  ${node.failureSummary}`));
  };
  let found = await look();
  if (found.length > 0) {
    // A page that has just got other colours may be read half in the old ones. What is wrong stays wrong.
    await page.waitForTimeout(500);
    found = await look();
  }
  expect(found, `${page.url()}`).toEqual([]);
}

/** Neither the page is wider than the window, nor a table than its place: what one has to push sideways to see is not seen. */
export async function fits(page) {
  const tables = () => [...document.querySelectorAll(".table-frame")].filter((frame) => frame.scrollWidth > frame.clientWidth + 1).map((frame) => frame.getAttribute("aria-label"));
  await expect.poll(() => page.evaluate(tables), `tables of ${page.url()} that are wider than their place`).toEqual([]);
  expect(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), `${page.url()} is wider than the window`).toBeLessThanOrEqual(0);
}

/**
 * `page` fails the test for every error that the browser tells: exceptions, files that are missing, what the content security policy refused. `allow(pattern)` lets
 * messages through that a test causes on purpose.
 */
export const test = base.extend({
  allow: async ({}, use) => {
    const allowed = [];
    await use(Object.assign((pattern) => allowed.push(pattern), { allowed }));
  },
  page: async ({ page, allow }, use) => {
    const wrong = [];
    page.on("pageerror", (error) => wrong.push(`exception: ${error.stack ?? error.message}`));
    page.on("console", (message) => {
      if (message.type() === "error" || message.text().includes("Content Security Policy")) wrong.push(`${message.text()} (${message.location().url})`);
    });
    await use(page);
    expect(wrong.filter((text) => !allow.allowed.some((pattern) => pattern.test(text)))).toEqual([]);
  },
});
