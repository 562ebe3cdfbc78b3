// The link for the class: the text and the terminals are seen as they change, and nothing can be changed, asked or given away.

import assert from "node:assert/strict";
import { accessible, browser, clean, openLab, run, screenText, serve, type, until, watched } from "./harness.mjs";

await run(async () => {
  const served = await serve(process.env.KEYWITNESS_LABS, ["--present"]);
  const { open } = await browser();
  const teacher = await watched(await open(), served);
  await openLab(teacher, served, "first-look");
  await teacher.locator("#settings summary").click();
  await teacher.getByRole("button", { name: "Link for the class" }).click();
  const link = await teacher.locator("dialog code").textContent();
  assert.notEqual(new URL(link).hash, `#${served.secret}`, "the class gets the teacher's own secret");
  await teacher.keyboard.press("Escape");

  const pupil = await watched(await open(), served);
  await pupil.goto(link);
  await pupil.getByRole("link", { name: "Look on: A first look into etcd" }).click();
  await pupil.locator("#room:not([hidden])").waitFor();
  assert.ok(await pupil.evaluate(() => document.documentElement.classList.contains("present")));
  await type(teacher, "clear; echo seen-by-the-class");
  await until("the teacher's terminal", async () => /^seen-by-the-class/m.test(await screenText(pupil)));

  assert.equal(await pupil.getByRole("button", { name: /^(Run|Answer|Next|Previous|Why|Hint|More)/ }).count(), 0);
  assert.equal(await pupil.getByRole("button", { name: "One more terminal" }).count(), 0);
  assert.equal(await pupil.locator(".question input:not([disabled])").count(), 0);
  await type(pupil, "echo typed-by-a-pupil", { wait: false });
  await type(teacher, "echo after-that");
  await until("the teacher's next command", async () => /^after-that/m.test(await screenText(pupil)));
  assert.doesNotMatch(await screenText(pupil), /typed-by-a-pupil/);

  await type(teacher, "kubectl -n kube-system get pods -l component=etcd");
  await pupil.locator('.check[data-standing="holds"]').first().waitFor();
  await accessible(pupil, "the class's page");
  clean(teacher);
  clean(pupil);
});
