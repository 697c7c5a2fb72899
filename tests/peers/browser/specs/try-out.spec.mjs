// A route's page: its text with lines and warnings; expressions and the whole route tried on samples, of which nothing leaves the host.
import { accessible, expect, fits, open, signIn, test } from "../console.mjs";

const SINK = process.env.SANGAM_SINK;
const box = (page) => page.getByRole("region", { name: "Try it out" });
const step = (page, name) => box(page).getByRole("listitem").filter({ hasText: `${name} · s.run` });

/** What came to the system that the route writes to. */
const sent = async (request) => (await (await request.get(`${SINK}/__stand/requests`)).json()).length;

/** Writes another event as the sample. */
async function type(page, event) {
  await box(page).getByLabel("Event", { exact: true }).fill(JSON.stringify(event));
}

const attempt = (page) => box(page).getByRole("button", { name: "Try the route" }).click();

test("a route is read with its lines and with what is probably not meant, and tried on a sample made of the schema", async ({ page, request }) => {
  const before = await sent(request);
  await signIn(page);
  await open(page, "/routes/worth");
  const text = page.getByRole("region", { name: "Text of the configuration" });
  await expect(text).toContainText("Jobs that are paid for.");
  await expect(text.getByRole("table")).toContainText("emial");
  const place = await text.getByRole("table").getByRole("cell").first().textContent();
  await expect(text.locator(".line.marked")).toHaveAttribute("data-number", place.split(":")[0]);
  await expect(text.locator(".line.marked")).toContainText("emial");
  await accessible(page);

  const sample = box(page).getByLabel("Sample");
  // What has come is truer than what may come.
  await expect(sample).toHaveValue(/^eid:/);
  await sample.selectOption({ label: "Made up: job.completed" });
  await expect(box(page).getByLabel("Event", { exact: true })).toHaveValue(/"job_id"/);
  await expect(box(page).getByLabel("Event", { exact: true })).toHaveValue(/"source": "\/crm\/sample"/);
  await attempt(page);
  await expect(box(page).getByText("worth wants it")).toBeVisible();
  await expect(step(page, "first")).toContainText("stops at what is not sent");
  await expect(step(page, "first")).toContainText(`POST ${SINK}/w`);
  await expect(step(page, "last")).toContainText("not reached");
  await accessible(page);

  // Answered, it goes on to the next write.
  await step(page, "first").getByRole("button", { name: `Say what is answered to POST ${SINK}/w` }).click();
  const answers = box(page).getByLabel("What systems answer");
  await expect(answers).toBeFocused();
  await expect(answers).toHaveValue(/"status": 200/);
  await answers.fill((await answers.inputValue()).replace('"body": {}', '"body": { "id": 7 }'));
  await attempt(page);
  await expect(step(page, "first")).toContainText("would succeed");
  await expect(step(page, "first")).toContainText("Answered as given: 200");
  await expect(step(page, "last")).toContainText("stops at what is not sent");
  await expect(step(page, "last")).toContainText("results: [{ 1 member }]");
  await answers.fill("{}");
  await expect(answers).toHaveAttribute("aria-invalid", "true");
  await accessible(page);
  expect(await sent(request)).toBe(before);
});

test("why a route does not want a sample, or the host would not take it in, is said in words", async ({ page }) => {
  await signIn(page);
  await open(page, "/routes/worth");
  await expect(box(page).getByLabel("Sample")).toHaveValue(/^eid:/);
  await box(page).getByLabel("What systems are asked").selectOption({ label: "As recorded with the event" });
  await attempt(page);
  await expect(box(page).getByText("worth wants it")).toBeVisible();
  const event = { type: "job.completed", source: "/crm/west", data: { job_id: "gift" } };
  await type(page, event);
  // It is somebody's own now, so that there is nothing recorded with it.
  await expect(box(page).getByLabel("Sample")).toHaveValue("typed");
  await attempt(page);
  await expect(box(page)).toContainText("worth does not want it");
  await expect(box(page)).toContainText("Its condition gave false");
  await accessible(page);
  await type(page, { ...event, source: "/shop" });
  await attempt(page);
  await expect(box(page)).toContainText("Its source is none of “/crm/*”.");
  await type(page, { ...event, type: "job.cancelled" });
  await attempt(page);
  await expect(box(page)).toContainText("Its type is none of “job.completed”.");
  await type(page, { ...event, data: { job_id: "j", customer: { name: 5 } } });
  await attempt(page);
  await expect(box(page)).toContainText("The host would not take this event in:");
  await expect(box(page)).toContainText("/customer/name");
  await accessible(page);
  await box(page).getByLabel("Event", { exact: true }).fill("{ no");
  await expect(box(page).getByText("This is no JSON:")).toBeVisible();
  await attempt(page);
  await expect(box(page).getByRole("alert")).toContainText("This is no JSON:");
});

test("another text of the route is tried, and a mistake in it is led to", async ({ page, allow }) => {
  allow(/status of 422/);
  await signIn(page);
  await open(page, "/routes/worth");
  await expect(box(page).getByLabel("Sample")).toHaveValue(/^eid:/);
  await box(page).getByLabel("Try another text of the route").check();
  const text = box(page).getByLabel("Text of the configuration");
  const right = '[[routes]]\nname = "mine"\non = { type = "job.*" }\n\n[[routes.steps]]\nname = "new"\nuses = "s.run"\nwith = { lines = [] }\n';
  await text.fill(right.replace("s.run", "s.rum"));
  await attempt(page);
  const alert = box(page).getByRole("alert");
  await expect(alert).toContainText("no action `rum`");
  await accessible(page);
  await alert.getByRole("button", { name: /^Show line 7, column \d+$/ }).click();
  await expect(text).toBeFocused();
  expect(await text.evaluate((area) => area.value.slice(0, area.selectionStart).split("\n").length)).toBe(7);
  await text.fill(right);
  await attempt(page);
  await expect(box(page).getByText("mine wants it")).toBeVisible();
  await expect(box(page)).toContainText("would succeed");
});

test("an expression is tried by keyboard alone, in a narrow window and in Bengali, and its mistake has a place", async ({ browser }) => {
  const context = await browser.newContext({ locale: "bn-BD", viewport: { width: 320, height: 800 } });
  const page = await context.newPage();
  await signIn(page);
  await open(page, "/routes/worth");
  const region = page.getByRole("region", { name: "পরীক্ষা করুন" });
  const tabs = region.getByRole("tab");
  await tabs.first().focus();
  await page.keyboard.press("ArrowRight");
  await expect(tabs.nth(1)).toBeFocused();
  await expect(tabs.nth(1)).toHaveAttribute("aria-selected", "true");
  const expression = region.getByRole("textbox", { name: "একটি এক্সপ্রেশন" });
  await expression.focus();
  await page.keyboard.press("ControlOrMeta+A");
  await page.keyboard.type(".event.data\n| ");
  await page.keyboard.type("nope");
  const evaluate = region.getByRole("button", { name: "মান বের করুন" });
  await evaluate.focus();
  await page.keyboard.press("Enter");
  const place = region.getByRole("button", { name: "লাইন ২, কলাম ৩ দেখান" });
  await expect(place).toBeVisible();
  await accessible(page);
  await fits(page);
  await place.focus();
  await page.keyboard.press("Enter");
  await expect(expression).toBeFocused();
  expect(await expression.evaluate((area) => area.value.slice(area.selectionStart, area.selectionEnd))).toBe("nope");
  await page.keyboard.type(".job_id");
  await evaluate.focus();
  await page.keyboard.press("Enter");
  await expect(region.getByText('"j-1"')).toBeVisible();
  await accessible(page);
  await fits(page);
  await context.close();
});

test("who may only look is told what trying takes", async ({ page }) => {
  await signIn(page, process.env.SANGAM_VIEWER);
  await open(page, "/routes/worth");
  await expect(box(page).getByRole("button", { name: /^Try the route/ })).toHaveAccessibleName(/permission to operate/);
});
