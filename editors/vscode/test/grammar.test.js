// The grammar as VS Code reads it: VS Code's own Markdown grammar with ours injected, line by line, against snapshots.
// UPDATE_SNAPSHOTS=1 writes them anew.
"use strict";
const assert = require("node:assert");
const fs = require("node:fs");
const path = require("node:path");
const { test } = require("node:test");
const { loadWASM, OnigScanner, OnigString } = require("vscode-oniguruma");
const { Registry, parseRawGrammar, INITIAL } = require("vscode-textmate");

const OURS = path.join(__dirname, "../syntaxes/labs.tmLanguage.json");
const of = (name) => require.resolve(`tm-grammars/grammars/${name}.json`);
const FILES = { "text.html.markdown": of("markdown"), "source.shell": of("shellscript"), "markdown.keywitness.fences": OURS };

async function grammar() {
  const wasm = fs.readFileSync(require.resolve("vscode-oniguruma/release/onig.wasm"));
  await loadWASM(wasm.buffer.slice(wasm.byteOffset, wasm.byteOffset + wasm.byteLength));
  const registry = new Registry({
    onigLib: Promise.resolve({
      createOnigScanner: (sources) => new OnigScanner(sources),
      createOnigString: (text) => new OnigString(text),
    }),
    loadGrammar: async (scope) => (FILES[scope] ? parseRawGrammar(fs.readFileSync(FILES[scope], "utf8"), FILES[scope]) : null),
    getInjections: (scope) => (scope === "text.html.markdown" ? ["markdown.keywitness.fences"] : undefined),
  });
  return registry.loadGrammar("text.html.markdown");
}

// Each line, and under it its tokens with the scopes below the file's own.
function shown(found, text) {
  const out = [];
  let stack = INITIAL;
  for (const line of text.split("\n")) {
    const { tokens, ruleStack } = found.tokenizeLine(line, stack);
    stack = ruleStack;
    out.push(`>${line}`);
    for (const { startIndex, endIndex, scopes } of tokens) {
      const piece = line.slice(startIndex, endIndex);
      if (piece.trim()) out.push(`   ${piece.trim()}  ${scopes.slice(1).join(" ")}`);
    }
  }
  return `${out.join("\n")}\n`;
}

const folder = path.join(__dirname, "fixtures");
for (const name of fs.readdirSync(folder).filter((name) => name.endsWith(".md"))) {
  test(`${name} has the scopes of its snapshot`, async () => {
    const got = shown(await grammar(), fs.readFileSync(path.join(folder, name), "utf8"));
    const snapshot = path.join(folder, `${name}.snap`);
    if (process.env.UPDATE_SNAPSHOTS) fs.writeFileSync(snapshot, got);
    assert.strictEqual(got, fs.readFileSync(snapshot, "utf8"));
  });
}
