// A served course, a browser, and what a person does in the page: types, clicks, looks.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const need = (name) => process.env[name] ?? assert.fail(`${name} is not set: tests/it/page.rs runs this`);
export const tools = need("KEYWITNESS_PAGE_TOOLS");
const require = createRequire(join(tools, "package.json"));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

/** Generous: a busy machine is no failure. */
export const LONG = Number(process.env.KEYWITNESS_PATIENCE ?? 90_000);

export const undo = [];
const pages = [];

/** `keywitness serve FOLDER`, and the link that it prints. */
export async function serve(folder, more = []) {
  const state = mkdtempSync(join(tmpdir(), "keywitness-page-"));
  // Of the shells in the page.
  writeFileSync(join(state, ".bashrc"), "PS1='$ '\n");
  const child = spawn(need("KEYWITNESS_BINARY"), ["serve", folder, "--on", "sandbox", ...more], {
    env: { ...process.env, HOME: state, KEYWITNESS_STATE: state, XDG_STATE_HOME: state, BROWSER: "true", NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let said = "";
  const gone = new Promise((then) => { child.on("exit", then); });
  const link = await new Promise((then, fail) => {
    const hear = (data) => {
      said += data;
      const found = /https?:\/\/\S+#[A-Za-z0-9_-]{20,}/.exec(said);
      if (found) then(found[0]);
    };
    child.stdout.on("data", hear);
    child.stderr.on("data", hear);
    gone.then((status) => fail(new Error(`serve ended with ${status}: ${said}`)));
  });
  let stopped = false;
  const stop = async () => {
    if (stopped) return;
    stopped = true;
    child.kill("SIGTERM");
    await gone;
    rmSync(state, { recursive: true, force: true });
  };
  undo.push(stop);
  process.on("exit", () => child.kill("SIGKILL"));
  const url = new URL(link);
  return { link, base: `${url.origin}${url.pathname}`, secret: url.hash.slice(1), said: () => said, stop, child };
}

export async function browser(options = {}) {
  const started = await chromium.launch({
    executablePath: need("KEYWITNESS_BROWSER"),
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"],
  });
  undo.push(() => started.close());
  const open = async (more = {}) => {
    const context = await started.newContext({ viewport: { width: 1280, height: 800 }, ...options, ...more });
    context.setDefaultTimeout(LONG);
    return context;
  };
  return { open };
}

/** A page whose every error, and every request to another host, is a failure of the test. */
export async function watched(context, served) {
  const page = await context.newPage();
  pages.push(page);
  page.faults = [];
  page.on("pageerror", (error) => page.faults.push(String(error.stack ?? error)));
  page.on("console", (message) => { if (message.type() === "error" && !page.allows?.test(message.text())) page.faults.push(message.text()); });
  page.on("request", (request) => { if (!/^(blob|data):/.test(request.url()) && !request.url().startsWith(served.base)) page.faults.push(`asked of another host: ${request.url()}`); });
  page.on("websocket", (socket) => { if (!socket.url().startsWith(served.base.replace(/^http/, "ws"))) page.faults.push(`asked of another host: ${socket.url()}`); });
  return page;
}

export const clean = (page) => assert.deepEqual(page.faults, []);

/** Opens a lab, with the answers to what it asks, and waits for its first prompt. */
export async function openLab(page, served, lab, answers = {}) {
  await page.goto(`${served.base}lab?lab=${encodeURIComponent(lab)}#${served.secret}`);
  const begin = page.getByRole("button", { name: "Begin" });
  await page.locator("#room:not([hidden])").or(begin).first().waitFor();
  if (await begin.isVisible()) {
    for (const [name, value] of Object.entries(answers)) await page.locator(`dialog input[name="${name}"]`).fill(value);
    await begin.click();
  }
  await page.locator("#room:not([hidden])").waitFor();
  await prompt(page);
}

const SCREEN = ".screen:not([hidden])";
export const screenText = (page) => page.locator(`${SCREEN} .xterm-rows`).first().evaluate((rows) => [...rows.children].map((row) => row.textContent.replaceAll("\u00a0", " ").trimEnd()).join("\n").trimEnd());

export async function until(what, holds) {
  const end = Date.now() + LONG;
  let last;
  while (Date.now() < end) {
    try {
      last = await holds();
      if (last) return last;
    } catch (error) { last = error; }
    await new Promise((then) => { setTimeout(then, 50); });
  }
  return assert.fail(`not within ${LONG / 1000} s: ${what}; last: ${last}`);
}

/** The shell stands at its prompt. */
export const prompt = (page) => until("a prompt", async () => /[$#] ?$/.test(await screenText(page)));

/** Types a command into the terminal that is seen, key by key, as a person does. */
export async function type(page, text, { wait = true } = {}) {
  await page.locator(`${SCREEN} .xterm-helper-textarea`).first().focus();
  for (const line of text.split("\n")) {
    await page.keyboard.type(line);
    await page.keyboard.press("Enter");
  }
  if (wait) await prompt(page);
}

export const blocks = (page) => page.locator("#page figure.block").evaluateAll((figures) =>
  figures.map((figure) => ({ id: figure.dataset.block, role: figure.dataset.role, background: figure.hasAttribute("data-background"), text: figure.querySelector("code").textContent.trim() })));

/** Every check that stands in the step's text holds, without a click. */
export const green = (page) => until("every check holds", () => page.locator("#page").evaluate((text) => {
  const checks = [...text.querySelectorAll(".check")];
  return checks.length > 0 && checks.every((check) => ["holds", "skipped"].includes(check.dataset.standing));
}));

export const stepTitle = (page) => page.locator("#step-title").textContent();

export async function accessible(page, what) {
  await page.evaluate(axe);
  const found = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  const words = found.violations.map(({ id, help, nodes }) => `${id}: ${help}\n    ${nodes.slice(0, 4).map((node) => `${node.target.join(" ")} ${node.any[0]?.message ?? ""}`).join("\n    ")}`);
  assert.deepEqual(words, [], `${what}: ${words.join("\n")}`);
}

/** Nothing hangs out of the window at its side. */
export async function fits(page, what) {
  const [seen, wide] = await page.evaluate(() => [document.documentElement.clientWidth, document.documentElement.scrollWidth]);
  assert.ok(wide <= seen, `${what}: ${wide} px wide in a window of ${seen} px`);
}

/** What a person would see on a page whose test failed. */
async function seen(page) {
  const parts = ["dialog[open]", ".toast", ".step-place", "#step-title", "#acts", "#page .check", "#page .question", ".notice", `${SCREEN} .xterm-rows`];
  const words = await page.evaluate((all) => all.map((part) => `  ${part}: ${[...document.querySelectorAll(part)].map((one) => one.innerText.replace(/\s*\n\s*/g, " | ").slice(-600)).join(" // ")}`), parts).catch((error) => [String(error)]);
  return `${page.url()}\n${words.join("\n")}`;
}

export async function run(work) {
  try {
    await work();
  } catch (error) {
    for (const page of pages) console.error(await seen(page));
    throw error;
  } finally {
    for (const one of undo.reverse()) await one();
  }
}
