// The committed files of xterm.js are those of its npm packages, whose tarballs `npm ci` has held against the lock's sha512.

import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";

const modules = join(process.env.KEYWITNESS_PAGE_TOOLS, "node_modules");
const assets = process.env.KEYWITNESS_ASSETS;
const FROM = {
  "xterm.mjs.gz": "@xterm/xterm/lib/xterm.mjs",
  "xterm.css.gz": "@xterm/xterm/css/xterm.css",
  "addon-fit.mjs.gz": "@xterm/addon-fit/lib/addon-fit.mjs",
  "addon-web-links.mjs.gz": "@xterm/addon-web-links/lib/addon-web-links.mjs",
};

assert.deepEqual(readdirSync(assets).filter((name) => name.endsWith(".gz")).sort(), Object.keys(FROM).sort());
for (const [name, source] of Object.entries(FROM)) {
  assert.ok(gunzipSync(readFileSync(join(assets, name))).equals(readFileSync(join(modules, source))), `${name} is not ${source} of the lock's version`);
}
const licences = readFileSync(join(assets, "xterm.LICENSE.txt"), "utf8");
for (const name of ["xterm", "addon-fit", "addon-web-links"]) {
  assert.ok(licences.includes(readFileSync(join(modules, `@xterm/${name}/LICENSE`), "utf8").trim()), `the licence of ${name} is not in xterm.LICENSE.txt`);
}
// The lock that was installed is the one of the tree.
const locked = JSON.parse(readFileSync(join(process.env.KEYWITNESS_PAGE_TOOLS, "package-lock.json"), "utf8"));
const ours = JSON.parse(readFileSync(new URL("package-lock.json", import.meta.url), "utf8"));
assert.deepEqual(locked.packages, ours.packages, "scripts/setup --browser installs the tree's lock");
for (const name of ["xterm", "addon-fit", "addon-web-links"]) assert.match(ours.packages[`node_modules/@xterm/${name}`].integrity, /^sha512-/);
