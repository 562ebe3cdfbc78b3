// Every view in each colour and size: no accessibility finding, nothing out of the window, everything by the keyboard.

import assert from "node:assert/strict";
import { accessible, browser, clean, fits, green, openLab, prompt, run, serve, type, until, watched } from "./harness.mjs";

const SIZES = [[1280, 800], [640, 400], [360, 740]];

/** 200 % zoom of a window of 1280 × 800 is one of 640 × 400. */
async function sizes(page, what) {
  for (const [width, height] of SIZES) {
    await page.setViewportSize({ width, height });
    await fits(page, `${what} at ${width} px`);
    await accessible(page, `${what} at ${width} px`);
  }
  await page.setViewportSize({ width: 1280, height: 800 });
}

await run(async () => {
  const served = await serve(process.env.KEYWITNESS_LABS);
  const { open } = await browser();
  const page = await watched(await open({ colorScheme: "light", reducedMotion: "reduce" }), served);

  await page.goto(served.link);
  await page.locator(".lab-list").waitFor();
  await sizes(page, "course, light");
  await page.emulateMedia({ colorScheme: "dark" });
  await sizes(page, "course, dark");
  await page.emulateMedia({ colorScheme: "light" });

  await openLab(page, served, "first-look");
  await sizes(page, "lab, light");
  await type(page, "kubectl -n kube-system get pods -l component=etcd");
  await green(page);
  await type(page, "kubectl create namespace faces && kubectl label namespace faces purpose=demo");
  await page.locator(".change", { hasText: "/registry/namespaces/faces" }).nth(1).waitFor();
  await page.locator('.line-svg .event[aria-label*="/registry/namespaces/faces"]').first().waitFor();
  await page.emulateMedia({ colorScheme: "dark" });
  await sizes(page, "lab with green checks, dark");
  await page.emulateMedia({ colorScheme: "light" });

  for (const pane of ["text", "terminals", "witness"]) {
    await page.setViewportSize({ width: 360, height: 740 });
    await page.locator(`#panes [data-pane=${pane}]`).click();
    await page.locator(`#${pane}`).waitFor();
    await fits(page, `pane ${pane}`);
    await accessible(page, `pane ${pane}`);
  }
  await page.setViewportSize({ width: 1280, height: 800 });

  await page.locator(".change", { hasText: "/registry/namespaces/faces" }).last().click();
  await page.locator(".object .line-added", { hasText: "purpose: demo" }).waitFor();
  assert.deepEqual(await page.locator(".trail li").allTextContents(), ["registry", "namespaces", "faces"]);
  await sizes(page, "an object");
  await page.keyboard.press("Escape");
  await page.locator(".object").waitFor({ state: "detached" });

  await page.locator("#glob").fill("/registry/namespaces/fac*");
  await until("only keys like the glob", () => page.locator(".changes .key").evaluateAll((keys) => keys.length > 0 && keys.every((key) => key.textContent.startsWith("/registry/namespaces/fac"))));
  await page.locator("#glob").fill("no-such-key");
  await page.getByText("No key seen so far is like that.").waitFor();
  await page.locator("#glob").fill("");

  // From the terminal to the time line by keys alone.
  await page.locator(".screen:not([hidden]) .xterm-helper-textarea").first().focus();
  await page.keyboard.press("F6");
  await until("F6 leaves the terminal", () => page.evaluate(() => !document.getElementById("terminals").contains(document.activeElement)));
  await page.locator('.line-svg [data-mark][tabindex="0"]').focus();
  await page.keyboard.press("Home");
  await page.keyboard.press("ArrowUp");
  await until("a command", () => page.evaluate(() => document.activeElement.dataset.mark?.startsWith("c")));
  await page.locator(".line-tip").waitFor();
  await page.keyboard.press("ArrowDown");
  await until("a write", () => page.evaluate(() => document.activeElement.dataset.mark?.startsWith("w")));
  await page.keyboard.press("Enter");
  await page.locator(".object").waitFor();
  await page.locator(".object button").first().click();

  await page.getByRole("button", { name: "As a table" }).click();
  await page.locator(".line-table td", { hasText: "kubectl create namespace faces" }).first().waitFor();
  await sizes(page, "the time line as a table");
  await page.getByRole("button", { name: "As a table" }).click();

  const divider = page.locator("#split");
  const was = Number(await divider.getAttribute("aria-valuenow"));
  await divider.focus();
  await page.keyboard.press("ArrowRight");
  await until("the divider moves", async () => Number(await divider.getAttribute("aria-valuenow")) === was + 2);

  await page.locator("#settings summary").click();
  await accessible(page, "the menu");
  await page.getByRole("radio", { name: "Dark" }).check();
  await until("dark by the switch", () => page.evaluate(() => getComputedStyle(document.documentElement).colorScheme === "dark"));
  await page.getByRole("radio", { name: "Largest" }).check();
  await fits(page, "largest text");
  await page.getByRole("radio", { name: "Normal" }).check();
  await page.getByRole("button", { name: "Keys" }).click();
  await page.locator("dialog").waitFor();
  await accessible(page, "a dialog");
  await page.keyboard.press("Escape");

  await page.setViewportSize({ width: 3840, height: 2160 });
  await fits(page, "4K");
  await page.setViewportSize({ width: 1280, height: 800 });

  // On paper: every step, and neither hints nor solutions.
  await page.evaluate(() => { globalThis.print = () => { globalThis.printed = document.getElementById("handout").textContent; }; });
  await page.locator("#settings summary").click();
  await page.getByRole("button", { name: "Print the lab" }).click();
  const paper = await until("the hand-out", () => page.evaluate(() => globalThis.printed));
  for (const words of ["Find the etcd pod", "Watch a write arrive", "What you now know", "kubectl create namespace"]) assert.ok(paper.includes(words), `the hand-out lacks ${words}`);
  assert.ok(!paper.includes("takes it off again"), "the hand-out has a hint");
  await page.emulateMedia({ media: "print" });
  assert.equal(await page.locator("#tools").isVisible(), false);
  assert.equal(await page.locator("#handout").isVisible(), true);
  await page.emulateMedia({ media: "screen" });
  await prompt(page);
  clean(page);
});
