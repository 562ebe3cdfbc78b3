// The extension beside an editor that is not there: what it starts, when, and what it registers.
"use strict";
const assert = require("node:assert");
const fs = require("node:fs");
const Module = require("node:module");
const os = require("node:os");
const path = require("node:path");
const { test } = require("node:test");
const { findProgram, isLab } = require("../labs");
const about = require("../package.json");

const LAB = "---\ntitle: A\nlevel: beginner\n---\n## A\n";
const PAGE = "---\nlayout: post\ntitle: A\n---\n# A\n\n```bash\nls\n```\n";

test("a lab is told from other Markdown", () => {
  for (const lab of [LAB, "# A\n\n```check\nkey /a exists\n```\n", "# A\n\n- a\n\n  ```bash {name=x}\n  ls\n  ```\n", "---\r\nvars:\r\n---\r\n"])
    assert.ok(isLab(lab), lab);
  for (const page of ["", PAGE, "# A\n\n```bash\nls\n```\n", "text\n---\nlevel: x\n---\n", "```output\na\n```\n"]) assert.ok(!isLab(page), page);
});

test("the program is the setting's, then PATH's, then its own", () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "keywitness-"));
  try {
    const put = (where) => {
      fs.mkdirSync(path.join(folder, where), { recursive: true });
      const file = path.join(folder, where, "keywitness");
      fs.writeFileSync(file, "#!/bin/sh\n", { mode: 0o755 });
      return file;
    };
    const env = { PATH: ["relative", path.join(folder, "one"), path.join(folder, "two")].join(path.delimiter) };
    assert.strictEqual(findProgram("", env, folder), undefined);
    const own = put("bin");
    assert.strictEqual(findProgram("", env, folder), own);
    const found = put("two");
    assert.strictEqual(findProgram("", env, folder), found);
    const set = put("set");
    assert.strictEqual(findProgram(set, env, folder), set);
    assert.strictEqual(findProgram(path.join(folder, "nothing"), env, folder), undefined);
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
});

// As much of an editor as the extension asks for.
function editor(documents, trusted = true, setting = process.execPath) {
  const seen = { commands: {}, clients: [], warnings: [], tasks: [] };
  const on = {};
  const vscode = {
    commands: { registerCommand: (name, does) => ((seen.commands[name] = does), { dispose() {} }) },
    ShellExecution: class { constructor(command, args) { Object.assign(this, { command, args }); } },
    Task: class { constructor(definition, scope, name, source, execution) { Object.assign(this, { name, execution }); } },
    TaskScope: { Workspace: 1 },
    tasks: { executeTask: async (task) => seen.tasks.push([task.execution.command, ...task.execution.args]) },
    window: { activeTextEditor: documents[0] && { document: documents[0] }, showWarningMessage: async (text) => seen.warnings.push(text) },
    workspace: {
      isTrusted: trusted,
      textDocuments: documents,
      getConfiguration: () => ({ get: () => setting }),
      onDidOpenTextDocument: (does) => ((on.open = does), { dispose() {} }),
      onDidSaveTextDocument: (does) => ((on.save = does), { dispose() {} }),
    },
  };
  class LanguageClient {
    constructor(_id, _name, server, client) { seen.clients.push({ server, client, started: false, stopped: false }); this.of = seen.clients.at(-1); }
    async start() { this.of.started = true; }
    async stop() { this.of.stopped = true; }
  }
  const load = Module._load;
  Module._load = (name, ...rest) =>
    name === "vscode" ? vscode : name === "vscode-languageclient/node" ? { LanguageClient } : load(name, ...rest);
  delete require.cache[require.resolve("../extension")];
  const extension = require("../extension");
  Module._load = load;
  return { extension, seen, on };
}

const document = (text, file = "/labs/a b/README.md") => ({
  languageId: "markdown", getText: () => text, isDirty: false, uri: { scheme: "file", fsPath: file },
});

test("nothing is started for Markdown that is no lab", async () => {
  const { extension, seen, on } = editor([document(PAGE)]);
  await extension.activate({ subscriptions: [], extensionPath: "/nowhere" });
  assert.deepStrictEqual([seen.clients, seen.warnings], [[], []]);
  await on.open(document(LAB));
  assert.strictEqual(seen.clients.length, 1);
  await on.open(document(LAB));
  assert.strictEqual(seen.clients.length, 1, "one server serves all labs");
  assert.deepStrictEqual(seen.clients[0].server, { command: process.execPath, args: ["lsp"] });
});

test("the commands are those of the manifest, and run in a terminal", async () => {
  const { extension, seen } = editor([document(LAB)]);
  await extension.activate({ subscriptions: [], extensionPath: "/nowhere" });
  const listed = about.contributes.commands.map(({ command }) => command);
  assert.strictEqual(listed.length, 3);
  for (const command of listed) assert.ok(seen.commands[command], command);
  await seen.commands["keywitness.testLab"]();
  await seen.commands["keywitness.learnLab"]();
  await seen.commands["keywitness.test"]("/labs/other.md");
  assert.deepStrictEqual(seen.tasks, [
    [process.execPath, "test", "/labs/a b/README.md"],
    [process.execPath, "learn", "/labs/a b/README.md"],
    [process.execPath, "test", "/labs/other.md"],
  ]);
  await seen.commands["keywitness.restart"]();
  assert.deepStrictEqual(seen.clients.map(({ stopped }) => stopped), [true, false]);
  await extension.deactivate();
});

test("in a folder that is not trusted no lab runs", async () => {
  const { extension, seen } = editor([document(LAB)], false);
  await extension.activate({ subscriptions: [], extensionPath: "/nowhere" });
  await seen.commands["keywitness.testLab"]();
  assert.deepStrictEqual(seen.tasks, []);
  assert.ok(seen.warnings.length > 0);
});

test("what is not saved is saved before the lab or a step of it runs", async () => {
  for (const asked of ["/labs/a b/README.md", "/labs/a b/README.md#scale-it"]) {
    const saved = [];
    const dirty = { ...document(LAB), isDirty: true, save: async () => saved.push(asked) };
    const { extension, seen } = editor([dirty]);
    await extension.activate({ subscriptions: [], extensionPath: "/nowhere" });
    await seen.commands["keywitness.test"](asked);
    assert.deepStrictEqual([saved, seen.tasks], [[asked], [[process.execPath, "test", asked]]]);
  }
});

test("a setting that names no program is told as such", async () => {
  const { extension, seen } = editor([document(LAB)], true, "/no/keywitness");
  await extension.activate({ subscriptions: [], extensionPath: "/nowhere" });
  assert.deepStrictEqual(seen.warnings, ["The setting keywitness.path names /no/keywitness, which is no program."]);
});
