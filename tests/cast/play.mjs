// A recording of a saved run in asciinema-player: it plays to its end, its markers are those of the run.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:http";
import { join } from "node:path";

const need = (name) => process.env[name] ?? assert.fail(`${name} is not set: tests/it/cast.rs runs this`);
const { chromium } = createRequire(join(need("KEYWITNESS_PAGE_TOOLS"), "package.json"))("playwright-core");
const bundle = join(need("KEYWITNESS_CAST_TOOLS"), "node_modules/asciinema-player/dist/bundle");
const cast = readFileSync(need("KEYWITNESS_CAST"), "utf8");

const files = {
  "/": ["text/html", `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><link rel="stylesheet" href="player.css"><div id="at"></div><script src="player.js"></script>`],
  "/player.css": ["text/css", readFileSync(join(bundle, "asciinema-player.css"))],
  "/player.js": ["text/javascript", readFileSync(join(bundle, "asciinema-player.min.js"))],
  "/run.cast": ["text/plain", cast],
};
const server = createServer((request, answer) => {
  const [type, body] = files[new URL(request.url, "http://x").pathname] ?? [];
  answer.writeHead(type ? 200 : 404, { "content-type": type ?? "text/plain" });
  answer.end(body);
});
await new Promise((then) => { server.listen(0, "127.0.0.1", then); });

const browser = await chromium.launch({ executablePath: need("KEYWITNESS_BROWSER"), args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"] });
try {
  const page = await browser.newPage();
  page.setDefaultTimeout(90_000);
  const faults = [];
  page.on("pageerror", (error) => faults.push(String(error.stack ?? error)));
  page.on("console", (message) => { if (message.type() === "error") faults.push(message.text()); });
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
  await page.evaluate(async () => {
    window.markers = [];
    window.ended = false;
    window.player = AsciinemaPlayer.create("run.cast", document.getElementById("at"), { speed: 50, idleTimeLimit: 0.5, preload: true });
    player.addEventListener("marker", (marker) => { markers.push(marker.label); });
    player.addEventListener("ended", () => { window.ended = true; });
    await player.play();
  });
  await page.waitForFunction(() => window.ended);
  const seen = await page.evaluate(() => window.markers);
  const events = cast.trim().split("\n").slice(1).map((line) => JSON.parse(line));
  const marks = events.filter(([, kind]) => kind === "m").map(([, , label]) => label);
  assert.ok(marks.some((label) => label.startsWith("step: ")) && marks.some((label) => label.startsWith("pass: ")), `${marks}`);
  // What lies at the very end may be passed without being told.
  assert.deepEqual(seen, marks.slice(0, seen.length));
  assert.ok(seen.length >= marks.length - 2, `${seen.length} of ${marks.length} markers`);
  const shown = await page.locator("#at").innerText();
  assert.match(shown, /namespace\/\S+ deleted|deleted/, shown);
  await page.evaluate(async () => { await player.seek({ marker: 1 }); });
  assert.deepEqual(faults, []);
} finally {
  await browser.close();
  server.close();
}
