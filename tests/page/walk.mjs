// first-look from its first step to its last, typed in the page; a wrong answer and a reset on the way.

import assert from "node:assert/strict";
import { blocks, browser, clean, green, openLab, prompt, run, serve, stepTitle, type, until, watched } from "./harness.mjs";

const RIGHT = { shape: "/registry/pods/shop/web" };

async function answer(page, first) {
  const questions = page.locator("#page .question:not([data-answered=right])");
  while (await questions.count()) {
    const question = questions.first();
    const id = await question.getAttribute("data-question");
    const choices = await question.locator("input[type=radio]").count();
    for (let choice = 0; choice < Math.max(1, choices); choice += 1) {
      if (choices) await question.locator("input[type=radio]").nth(choice).check();
      else await question.locator("input[type=text]").fill(RIGHT[id]);
      // The page may draw the verdict of the answer before once more: the response to this one says what is true.
      const response = page.waitForResponse((one) => one.request().postData()?.includes('"request":"answer"'));
      await page.locator(`.question[data-question="${id}"]`).getByRole("button", { name: "Answer" }).click();
      const said = (await (await response).json()).right ? "right" : "wrong";
      await page.locator(`.question[data-question="${id}"][data-answered=${said}]`).waitFor();
      first.push(said);
      if (said === "right") break;
    }
  }
}

async function typeStep(page) {
  for (const block of await blocks(page)) {
    if (block.role === "cleanup" || !block.id) continue;
    if (block.background) {
      const before = await page.getByRole("tab").count();
      await page.getByRole("button", { name: "One more terminal" }).click();
      await until("one more terminal", async () => (await page.getByRole("tab").count()) > before);
      await prompt(page);
      await type(page, block.text, { wait: false });
      await until("the block counts", () => page.locator(`figure[data-block="${block.id}"] .block-done`).isVisible().then((seen) => seen || page.locator(".screen:not([hidden])").first().isVisible()));
      await page.getByRole("tab", { name: "Terminal", exact: true }).click();
    } else {
      await type(page, block.text);
    }
  }
}

await run(async () => {
  const served = await serve(process.env.KEYWITNESS_LABS);
  const { open } = await browser();
  const page = await watched(await open(), served);

  await page.goto(served.link);
  await page.locator(".lab-list").waitFor();
  const card = page.locator(".lab-card", { has: page.getByRole("heading", { name: "A first look into etcd" }) });
  assert.equal(await card.getAttribute("data-state"), "new");
  assert.equal(new URL(page.url()).hash, "", "the secret stays in the address bar");
  await openLab(page, served, "first-look", { NAMESPACE: "seen" });

  const of = await page.locator("#steps li").count();
  const verdicts = [];
  let wentBack = false;
  for (let step = 1; step <= of; step += 1) {
    await until(`step ${step}`, async () => (await page.locator(".step-place").textContent()).startsWith(`Step ${step} of`));
    const title = await stepTitle(page);
    await typeStep(page);
    if (await page.locator("#page .check").count()) await green(page);
    if (title === "One command, one key" && !wentBack) {
      wentBack = true;
      await page.locator("#acts summary", { hasText: "More" }).click();
      await page.getByRole("button", { name: "Back to the start of this step" }).click();
      await page.getByRole("button", { name: "Go back" }).click();
      await until("the checks look anew", () => page.locator("#page .check").evaluateAll((checks) => checks.some((check) => check.dataset.standing !== "holds")));
      await until("the namespace is gone", async () => {
        await type(page, "clear; kubectl get namespace seen");
        return /not found/i.test(await page.locator(".screen:not([hidden]) .xterm-rows").first().textContent());
      });
      await typeStep(page);
      await green(page);
    }
    await answer(page, verdicts);
    await page.locator("#acts button.next").click();
  }
  await page.getByRole("heading", { name: "Finished" }).waitFor();
  assert.ok(verdicts.includes("wrong"), `no answer was wrong: ${verdicts}`);
  assert.match(await page.locator("dialog dl").textContent(), /Wrong answers[1-9]/);
  await page.getByRole("button", { name: "All labs" }).click();
  await page.locator(".lab-card", { has: page.getByRole("heading", { name: "A first look into etcd" }) }).and(page.locator('[data-state="finished"]')).waitFor();
  clean(page);
});
