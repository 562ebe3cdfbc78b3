// The pictures of the page in the README and the docs. Each is drawn from a served lab, and holds in its own text what was to be
// read on it; with KEYWITNESS_PICTURES it is written there, else only what it must show is looked for.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import * as zlib from "node:zlib";
import { blocks, browser, clean, green, openLab, prompt, run, serve, type, until, watched } from "./harness.mjs";

const BEFORE = ["Find the etcd pod", "Run etcdctl in it", "List every key", "Look at one object"];
const folder = process.env.KEYWITNESS_PICTURES;

/** What can be read in the window just now. */
const read = (page) => page.evaluate(() => {
  const words = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const range = document.createRange();
    range.selectNodeContents(node);
    const box = range.getBoundingClientRect();
    const at = node.parentElement;
    const seen = box.width > 1 && box.height > 1 && box.top >= 0 && box.bottom <= innerHeight && box.left >= 0 && box.left < innerWidth && at.checkVisibility({ visibilityProperty: true });
    if (seen) words.push(node.textContent);
  }
  return words.join(" ").replaceAll("\u00a0", " ").replace(/\s+/g, " ");
});

/** A chunk of text in a PNG, before its end. */
function withText(png, words) {
  const data = Buffer.concat([Buffer.from("Description\0", "latin1"), Buffer.from(words.replace(/[^\x20-\x7e]/g, "?"), "latin1")]);
  const name = Buffer.from("tEXt", "latin1");
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(zlib.crc32 ? zlib.crc32(Buffer.concat([name, data])) : table(Buffer.concat([name, data])));
  const end = png.length - 12;
  return Buffer.concat([png.subarray(0, end), length, name, data, sum, png.subarray(end)]);
}

/** Before node 22, zlib has no crc32 of its own. */
function table(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return (crc ^ 0xffffffff) >>> 0;
}

/** Light and dark, each with its words; the terminal follows the page a moment later. */
async function picture(page, name, shows) {
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    const file = colorScheme === "dark" ? name.replace(".png", "-dark.png") : name;
    const words = await until(`${file} shows ${shows}`, async () => {
      const now = await read(page);
      const lacking = shows.filter((one) => !now.includes(one));
      if (lacking.length) throw new Error(`${file} lacks ${JSON.stringify(lacking)}: ${now}`);
      return now;
    });
    for (const never of ["undefined", "NaN", "[object", "Invalid Date"]) assert.ok(!words.includes(never), `${file} shows ${never}`);
    if (!folder) continue;
    await page.locator("#said .toast").first().waitFor({ state: "detached" });
    await page.evaluate(() => new Promise((then) => { requestAnimationFrame(() => requestAnimationFrame(then)); }));
    writeFileSync(join(folder, file), withText(await page.screenshot(), words));
  }
}

await run(async () => {
  const served = await serve(process.env.KEYWITNESS_LABS, ["--title", "etcd behind Kubernetes"]);
  const { open } = await browser();
  const page = await watched(await open({ colorScheme: "light", reducedMotion: "reduce", viewport: { width: 1440, height: 900 } }), served);

  await openLab(page, served, "first-look", { NAMESPACE: "demo" });
  for (const [index, title] of BEFORE.entries()) {
    await until(title, async () => (await page.locator("#step-title").textContent()) === title);
    for (const block of await blocks(page)) if (block.id) await type(page, block.text);
    await green(page);
    await page.locator("#acts button.next").click();
    // Open questions are asked about once.
    const goOn = page.locator("dialog").getByRole("button", { name: "Go on" });
    await goOn.or(page.locator(".step-place", { hasText: `Step ${index + 2} of` })).first().waitFor();
    if (await goOn.isVisible()) await goOn.click();
  }
  await until("step 5", async () => (await page.locator("#step-title").textContent()) === "One command, one key");
  await type(page, "clear");
  await type(page, "kubectl create namespace demo");
  await type(page, "etcdctl get /registry/namespaces/ --prefix --keys-only");
  await green(page);
  await picture(page, "page-lab.png", ["A first look into etcd", "Step 5 of", "One command, one key", "holds", "kubectl create namespace demo", "What etcd sees", "/registry/namespaces/ demo", "Time line"]);

  await page.locator("#acts button.next").click();
  await until("step 6", async () => (await page.locator("#step-title").textContent()) === "Watch a write arrive");
  await type(page, "clear");
  await type(page, 'kubectl label namespace demo purposes=demo');
  const failed = page.locator(".check").first();
  await until("the failure's reason", async () => (await failed.textContent()).includes("purpose"));
  await failed.getByRole("button", { name: "Why?" }).click();
  await failed.locator(".why-text").waitFor();
  await page.locator(".change", { hasText: "purposes" }).last().click();
  await page.locator(".object .line-added", { hasText: "purposes" }).first().waitFor();
  await failed.evaluate((check) => { check.scrollIntoView({ block: "center" }); });
  await picture(page, "page-failure.png", ["not yet", "purposes: demo", "registry", "changed", "kubectl label namespace demo purposes=demo"]);
  await page.keyboard.press("Escape");

  await type(page, "kubectl label namespace demo purpose=demo");
  await type(page, "kubectl -n demo create deployment web --image=nginx --replicas=3");
  await type(page, "kubectl -n demo rollout status deployment web");
  await type(page, "kubectl -n demo scale deployment web --replicas=1");
  await prompt(page);
  await until("the writes of the scaling", () => page.locator(".line-svg .event-deleted").count().then((count) => count >= 2));
  await page.getByRole("button", { name: "Fill the window" }).click();
  await page.locator(".line-svg .command").filter({ hasText: "create deployment" }).first().hover();
  await picture(page, "page-time-line.png", ["Time line", "created", "changed", "deleted", "terminal", "checks", "pods", "deployments", "create deployment web"]);
  await page.getByRole("button", { name: "Fill the window" }).click();

  await page.goto(`${served.base}#${served.secret}`);
  await page.locator(".lab-list").waitFor();
  await picture(page, "page-course.png", ["etcd behind Kubernetes", "A first look into etcd", "You left off here", "step 6 of 8", "Go on", "Not begun"]);
  clean(page);
});
