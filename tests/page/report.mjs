// `--html`: the page of a run with every kind of failure, opened from its file in a browser that must ask for nothing else.

import assert from "node:assert/strict";
import { pathToFileURL } from "node:url";

import { accessible, browser, clean, fits, run, watched } from "./harness.mjs";

const file = process.env.KEYWITNESS_REPORT ?? assert.fail("KEYWITNESS_REPORT is not set: tests/it/page.rs runs this");
const url = pathToFileURL(file).href;

await run(async () => {
  const { open } = await browser();
  for (const [name, more] of [
    ["light", { colorScheme: "light" }],
    ["dark", { colorScheme: "dark" }],
    ["a phone", { viewport: { width: 360, height: 640 } }],
  ]) {
    const page = await watched(await open(more), { base: url });
    await page.goto(url);
    await page.evaluate(() => document.querySelectorAll("details").forEach((part) => { part.open = true; }));
    await accessible(page, name);
    await fits(page, name);
    clean(page);
  }
  const page = await watched(await open(), { base: url });
  await page.goto(url);
  const words = await page.locator("body").innerText();
  for (const word of [
    "etcd has not seen the label yet", "wanted", "came", "journal of the step", "the output differs", "exited early",
    "proves nothing", "the clean-up left", "Which member leads?", "flaky", "cannot judge", "Recording of terminal-1",
  ]) assert.ok(words.includes(word), `the page does not show ${word}`);
  // What failed is open and what passed is folded; each line of the table leads to its lab.
  assert.equal(await page.locator("details.step[open]").filter({ hasText: "fail" }).count() > 0, true);
  await page.getByRole("link", { name: "kinds" }).click();
  assert.ok(page.url().includes("#lab-"), page.url());
  const lines = page.getByRole("img", { name: /Time line: \d+ blocks and \d+ events of etcd/ });
  assert.ok(await lines.count() > 0, "no time line");
  assert.ok(await page.locator("svg circle.event").count() > 0, "no event in a time line");
  const recording = page.locator("details").filter({ hasText: "Recording of terminal-1" });
  await recording.locator("summary").click();
  assert.match(await recording.innerText(), /\$ kubectl get nodes\s+· step: Look/);
  const [download] = await Promise.all([page.waitForEvent("download"), recording.getByRole("link").click()]);
  assert.equal(download.suggestedFilename(), "first-look-terminal-1.cast");
  clean(page);
});
