// What was wrong and what to do, in the host's own words.
import { html } from "../preact.js";
import { t } from "../i18n.js";
import { Button } from "./button.js";
import { Icon } from "./icon.js";
import { Text } from "./text.js";

/** What trying again does not change. */
const REFUSED = [403, 404];

/** `problem`: an `ApiProblem` or any error. `retry`: what tries again. */
export function Problem({ problem, retry, title }) {
  if (!problem) return null;
  const heading = title ?? (problem.status === 0 ? t("common.unreachable") : problem.status === 403 ? t("common.forbidden")
    : problem.status === 404 ? t("common.not-found") : t("common.went-wrong"));
  return html`<div class="problem" role="alert">
    <p class="problem-title"><${Icon} name="warn" /><strong>${heading}</strong></p>
    <p><${Text} value=${problem.detail || problem.message} lines /></p>
    ${problem.retryAfter && html`<p>${t("common.retry-after", { n: problem.retryAfter })}</p>`}
    ${retry && !REFUSED.includes(problem.status) && html`<${Button} icon="replay" onClick=${retry}>${t("common.try-again")}<//>`}
  </div>`;
}
