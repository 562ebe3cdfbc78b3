// What scripts/page-figures measures: the first page's size and time, and from a change in etcd to the green in the page.

import { readFileSync, mkdtempSync, writeFileSync, mkdirSync } from "node:fs";
import https from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { browser, openLab, run, screenText, serve, type, until, watched } from "./harness.mjs";

const CHANGES = Number(process.argv[2] ?? 200);
const KEY = "/registry/configmaps/default/measured";
const LAB = `---
title: Measured
clusters: [sandbox]
---
# Measured

## Wait

\`\`\`bash
true
\`\`\`

\`\`\`check
key ${KEY} exists
\`\`\`
`;

const rank = (values, share) => [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.ceil(values.length * share) - 1)];
const milliseconds = (values) => `median ${rank(values, 0.5).toFixed(0)} ms, p99 ${rank(values, 0.99).toFixed(0)} ms, most ${Math.max(...values).toFixed(0)} ms of ${values.length}`;

/** etcd's own HTTP, with the certificates that the lab's etcdctl has. */
function etcd(script) {
  const text = readFileSync(script, "utf8");
  const file = (name) => readFileSync(new RegExp(`export ETCDCTL_${name}='?(/[^\\s']+)`).exec(text)[1]);
  const agent = new https.Agent({ keepAlive: true, ca: file("CACERT"), cert: file("CERT"), key: file("KEY"), checkServerIdentity: () => undefined });
  const port = Number(/https:\/\/127\.0\.0\.1:(\d+)/.exec(text)[1]);
  return (what, body) => new Promise((then, fail) => {
    const request = https.request({ agent, host: "127.0.0.1", port, method: "POST", path: `/v3/kv/${what}` }, (answer) => { answer.resume(); answer.on("end", () => (answer.statusCode === 200 ? then() : fail(new Error(`etcd answers ${answer.statusCode}`)))); });
    request.on("error", fail);
    request.end(JSON.stringify(body));
  });
}

await run(async () => {
  const folder = mkdtempSync(join(tmpdir(), "keywitness-figures-"));
  mkdirSync(join(folder, "measured"));
  writeFileSync(join(folder, "measured/README.md"), LAB);
  const served = await serve(folder);
  const { open } = await browser();

  const shown = [];
  let bytes = 0;
  for (let time = 0; time < 20; time += 1) {
    const context = await open();
    const page = await context.newPage();
    const session = await context.newCDPSession(page);
    await session.send("Network.enable");
    let loaded = 0;
    session.on("Network.loadingFinished", ({ encodedDataLength }) => { loaded += encodedDataLength; });
    await page.goto(`${served.base}#${served.secret}`);
    await page.locator(".lab-list").waitFor();
    shown.push(await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? performance.now()));
    if (time === 0) console.log(`course page: ${(loaded / 1000).toFixed(1)} kB over the wire`);
    await context.close();
  }
  console.log(`course page shown: ${milliseconds(shown)}`);

  const context = await open();
  const page = await watched(context, served);
  const session = await context.newCDPSession(page);
  await session.send("Network.enable");
  session.on("Network.loadingFinished", ({ encodedDataLength }) => { bytes += encodedDataLength; });
  await openLab(page, served, "measured");
  console.log(`lab page with xterm.js: ${(bytes / 1000).toFixed(1)} kB over the wire`);
  const again = [];
  for (let time = 0; time < 20; time += 1) {
    await page.reload();
    await page.locator("#room:not([hidden])").waitFor();
    again.push(await page.evaluate(() => performance.now()));
  }
  console.log(`lab page of a running session shown: ${milliseconds(again)}`);

  await type(page, "clear; command -v etcdctl");
  const script = await until("the path of etcdctl", async () => /^\/\S+etcdctl$/m.exec(await screenText(page))?.[0]);
  const ask = etcd(script);
  const key = Buffer.from(KEY).toString("base64");
  const value = Buffer.from(JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "measured", namespace: "default" } })).toString("base64");
  await page.evaluate(() => {
    globalThis.turned = [];
    const check = document.querySelector(".check[data-check]");
    new MutationObserver(() => { globalThis.turned.push([check.dataset.standing, performance.timeOrigin + performance.now()]); }).observe(check, { attributeFilter: ["data-standing"] });
  });
  const took = [];
  for (let change = 0; change < CHANGES; change += 1) {
    const began = performance.timeOrigin + performance.now();
    await ask("put", { key, value });
    const at = await until("green", () => page.evaluate((from) => globalThis.turned.find(([standing, when]) => standing === "holds" && when >= from)?.[1], began));
    took.push(at - began);
    const back = performance.timeOrigin + performance.now();
    await ask("deleterange", { key });
    await until("not green", () => page.evaluate((from) => globalThis.turned.some(([standing, when]) => standing !== "holds" && when >= from), back));
  }
  console.log(`from the put to green in the page: ${milliseconds(took)}`);
});
