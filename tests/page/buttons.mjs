// Each button of the lab page once, in a lab of the test's own that also means harm; and a server that goes away.

import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { accessible, browser, clean, green, openLab, prompt, run, screenText, serve, until, watched } from "./harness.mjs";

const LAB = `---
title: Buttons <script>window.harmed = 1</script>
clusters: [sandbox]
---
# Buttons

<script>window.harmed = 2</script> <img src=x onerror="window.harmed=3">

![The picture](drawn.svg)

[a link](javascript:window.harmed=4) <a href="javascript:window.harmed=5">b</a> and [to the third step](#third)

## First

\`\`\`bash {name=make}
kubectl create namespace one
\`\`\`

\`\`\`check
key /registry/namespaces/one exists
\`\`\`

<details><summary>Hint: the first</summary>

Words of the first hint. <script>window.harmed = 6</script>

</details>

<details><summary>Hint: the second</summary>

Words of the second hint.

</details>

## Second

Make the namespace \`two\`.

<details><summary>Solution</summary>

\`\`\`bash {name=solved}
kubectl create namespace two
\`\`\`

</details>

\`\`\`check
key /registry/namespaces/two exists
\`\`\`

## Third

\`\`\`bash {name=keeps terminal=2 background ready="started"}
echo started; tail -f /dev/null
\`\`\`

\`\`\`bash {name=three}
kubectl create namespace three
\`\`\`

\`\`\`check
key /registry/namespaces/three exists
\`\`\`

## Fourth

\`\`\`bash {name=four}
kubectl create namespace four
\`\`\`

\`\`\`check
key /registry/namespaces/four exists
\`\`\`
`;
const SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20" onload="parent.harmed=7"><script>parent.harmed=8</script><rect width="40" height="20"/></svg>';

const step = (page, number) => page.locator(".step-place", { hasText: `Step ${number} of 4` }).waitFor();
const act = (page, name) => page.locator("#acts").getByRole("button", { name });
async function more(page, name) {
  await page.locator("#acts summary").click();
  await page.locator("#acts .menu-acts").getByRole("button", { name }).click();
}

const folder = mkdtempSync(join(tmpdir(), "keywitness-buttons-"));
mkdirSync(join(folder, "buttons"));
writeFileSync(join(folder, "buttons/README.md"), LAB);
writeFileSync(join(folder, "buttons/drawn.svg"), SVG);
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

await run(async () => {
  const served = await serve(folder);
  const { open } = await browser();
  const context = await open();
  await context.grantPermissions(["clipboard-read", "clipboard-write"]);
  const page = await watched(context, served);
  await openLab(page, served, "buttons");

  // The picture is shown, and nothing of the lab runs.
  await until("the picture", () => page.getByAltText("The picture").evaluate((image) => image.naturalWidth === 40));
  assert.equal(await page.locator('#page a[href^="javascript"]').count(), 0);
  assert.equal(await page.evaluate(() => globalThis.harmed), undefined);

  await page.locator("details.hint summary").first().click();
  await page.getByText("Words of the first hint.").waitFor();
  assert.equal(await page.getByText("Words of the second hint.").count(), 0);
  await page.getByRole("button", { name: "Hint (1 of 2)" }).click();
  await page.getByText("Words of the second hint.").waitFor();
  assert.equal(await page.getByRole("button", { name: "Hint (2 of 2)" }).isDisabled(), true);

  // A block is copied, pasted by the keys of a terminal, and what was printed is copied back.
  await page.getByRole("button", { name: "Copy block make" }).click();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), "kubectl create namespace one");
  await page.getByRole("button", { name: "Run block make" }).click();
  await green(page);
  await page.locator(".toast", { hasText: "Check 1 holds" }).waitFor();
  await page.evaluate(() => navigator.clipboard.writeText("echo pasted-$((40+2))"));
  await prompt(page);
  await page.locator(".screen:not([hidden]) .xterm-helper-textarea").first().focus();
  await page.keyboard.press("Control+Shift+V");
  await until("the paste", async () => /echo pasted-/.test(await screenText(page)));
  await page.keyboard.press("Enter");
  await until("the pasted command", async () => /^pasted-42/m.test(await screenText(page)));
  const row = page.locator(".screen:not([hidden]) .xterm-rows > div", { hasText: /^pasted-42/ });
  const box = await row.first().boundingBox();
  await page.mouse.dblclick(box.x + 10, box.y + box.height / 2);
  await page.keyboard.press("Control+Shift+C");
  await until("the selection in the clipboard", () => page.evaluate(() => navigator.clipboard.readText()).then((text) => text.startsWith("pasted")));

  // A link to a step leads there; the way back is said.
  await page.getByRole("link", { name: "to the third step" }).click();
  await step(page, 3);
  assert.equal(new URL(page.url()).hash, "");
  await page.getByRole("button", { name: "Back to step 1" }).click();
  await step(page, 1);

  await act(page, "Next").click();
  await step(page, 2);
  await act(page, "Previous").click();
  await step(page, 1);
  await act(page, "Next").click();
  await step(page, 2);
  await act(page, "Solution").click();
  await page.locator("dialog").waitFor();
  await accessible(page, "a question before something that costs");
  await page.getByRole("button", { name: "Cancel" }).click();
  assert.equal(await page.locator("details.solution[data-shown]").count(), 0);
  await act(page, "Solution").click();
  await page.getByRole("button", { name: "Show it" }).click();
  await page.locator("details.solution[data-shown]").waitFor();
  await more(page, "Do this step for me");
  await page.getByRole("button", { name: "Run them" }).click();
  await green(page);
  await act(page, "Next").click();
  await step(page, 3);

  // A block that keeps running has a terminal of its own; two are seen side by side.
  await page.getByRole("button", { name: "Run block keeps" }).click();
  await until("a second terminal", async () => (await page.getByRole("tab").count()) === 2);
  await until("its output", async () => /started/.test(await screenText(page)));
  await page.getByRole("button", { name: "Side by side" }).click();
  assert.equal(await page.locator(".screen:not([hidden])").count(), 2);
  await page.getByRole("button", { name: "Side by side" }).click();
  await page.getByRole("tab", { name: "Terminal", exact: true }).click();
  await page.locator("#settings summary").click();
  await page.getByRole("checkbox", { name: "Terminals for a screen reader" }).check();
  await page.locator(".screen:not([hidden]) .xterm-accessibility").waitFor({ state: "attached" });
  await page.getByRole("checkbox", { name: "Terminals for a screen reader" }).uncheck();
  await page.keyboard.press("Escape");

  await more(page, "Skip this step");
  await page.getByRole("button", { name: "Skip it" }).click();
  await step(page, 4);
  await page.getByRole("button", { name: "Run block four" }).click();
  await green(page);
  await act(page, "Finish").click();
  await page.getByRole("heading", { name: "Finished" }).waitFor();
  await accessible(page, "the summary");
  await page.getByRole("button", { name: "Stay here" }).click();

  // Begun again, the lab is as it was. The answer comes long after the session's end: the page asks nothing of it meanwhile.
  await page.route("**/close", async (route) => {
    const response = await route.fetch();
    await until("the session is gone", () => page.getByText("The lab is being ended").isVisible());
    await new Promise((then) => { setTimeout(then, 2000); });
    await route.fulfill({ response });
  });
  await page.locator("#settings summary").click();
  await page.getByRole("button", { name: "Begin the lab again" }).click();
  await page.getByRole("button", { name: "Begin again" }).click();
  await step(page, 1);
  await until("nothing holds", () => page.locator('.check[data-standing="not_yet"]').count().then((count) => count === 1));
  assert.match(await page.locator("#points").textContent(), /^0 of/);
  assert.equal(await page.evaluate(() => globalThis.harmed), undefined);
  clean(page);

  // The server ends: the page says so, and goes on trying.
  await served.stop();
  await until("the page says that the server is away", () => page.evaluate(() => document.body.classList.contains("unlinked") || !document.getElementById("start").hidden));
});
