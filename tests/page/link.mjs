// The connection: a reload in the middle, a socket that is cut and comes back, two tabs on one session.

import assert from "node:assert/strict";
import { browser, clean, green, openLab, prompt, run, screenText, serve, type, until, watched } from "./harness.mjs";

const FIND = "kubectl -n kube-system get pods -l component=etcd";

await run(async () => {
  const served = await serve(process.env.KEYWITNESS_LABS);
  const { open } = await browser();
  const context = await open();
  const sockets = [];
  const page = await watched(context, served);
  await page.routeWebSocket(/\/terminals\//, (socket) => {
    const server = socket.connectToServer();
    sockets.push({ cut: async () => { await server.close(); await socket.close({ code: 4000, reason: "cut" }); } });
  });
  await openLab(page, served, "first-look");

  await type(page, "kept=only-in-this-shell; clear");
  await type(page, "echo before-the-reload");
  await page.reload();
  await page.locator("#room:not([hidden])").waitFor();
  await until("the replay", async () => /before-the-reload/.test(await screenText(page)));
  await prompt(page);
  await type(page, "clear; echo it is $kept");
  await until("the same shell", async () => /it is only-in-this-shell/.test(await screenText(page)));

  const before = sockets.length;
  await sockets.at(-1).cut();
  await until("a new socket", async () => sockets.length > before);
  await page.locator('.screen:not([hidden])[data-state="open"]').waitFor();
  await type(page, "clear; echo after the cut $kept");
  await until("the shell after a cut", async () => /after the cut only-in-this-shell/.test(await screenText(page)));
  const text = await screenText(page);
  assert.equal(text.match(/^after the cut/gm)?.length, 1, `replayed twice: ${text}`);

  const second = await watched(context, served);
  await second.goto(`${served.base}lab?lab=first-look#${served.secret}`);
  await second.locator("#room:not([hidden])").waitFor();
  await until("the first tab's output in the second", async () => /after the cut only-in-this-shell/.test(await screenText(second)));
  await type(second, FIND);
  await green(page);
  await green(second);
  await until("the second tab's command in the first", async () => /component=etcd/.test(await screenText(page)));
  clean(page);
  clean(second);
});
