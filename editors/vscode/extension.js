// The client: it starts the server once a lab is open, and runs what is asked for in a terminal.
"use strict";
const { commands, ShellExecution, Task, tasks, TaskScope, window, workspace } = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");
const { findProgram, isLab } = require("./labs");

let client;
let starting;
let complained = false;

// A folder that is not trusted does not say which program is started.
function setting() {
  return workspace.isTrusted ? workspace.getConfiguration("keywitness").get("path", "") : "";
}

function program(context) {
  return findProgram(setting(), process.env, context.extensionPath);
}

function warnMissing() {
  const named = setting();
  const why = named
    ? `The setting keywitness.path names ${named}, which is no program.`
    : "keywitness is not on PATH: install it, or name it in the setting keywitness.path.";
  return window.showWarningMessage(why);
}

async function start(context) {
  const found = program(context);
  if (!found) {
    if (!complained) {
      complained = true;
      warnMissing();
    }
    return;
  }
  client = new LanguageClient(
    "keywitness",
    "keywitness",
    { command: found, args: ["lsp"] },
    {
      documentSelector: [{ scheme: "file", language: "markdown" }],
      initializationOptions: { runsCommands: true },
    },
  );
  await client.start();
}

// Silent on Markdown that is no lab: nothing is started for it.
function noticed(context, document) {
  if (client || starting || document.languageId !== "markdown" || !isLab(document.getText())) return;
  starting = start(context).finally(() => (starting = undefined));
  return starting;
}

async function stop() {
  const running = client;
  client = undefined;
  if (running) await running.stop();
}

async function run(context, word, file) {
  const found = program(context);
  if (!found) return warnMissing();
  if (!workspace.isTrusted) return window.showWarningMessage("A lab runs commands: trust this folder first.");
  const document = window.activeTextEditor?.document;
  const lab = typeof file === "string" ? file : document?.uri.scheme === "file" ? document.uri.fsPath : undefined;
  if (!lab) return window.showWarningMessage("Open a lab first: a Markdown file on this machine.");
  // The lens of a step asks for LAB#STEP.
  const open = workspace.textDocuments.find(({ uri }) => lab === uri.fsPath || lab.startsWith(`${uri.fsPath}#`));
  if (open?.isDirty) await open.save();
  const task = new Task({ type: "keywitness", word }, TaskScope.Workspace, `${word} ${lab}`, "keywitness", new ShellExecution(found, [word, lab]));
  return tasks.executeTask(task);
}

async function activate(context) {
  const on = (name, does) => context.subscriptions.push(commands.registerCommand(name, does));
  on("keywitness.testLab", (file) => run(context, "test", file));
  on("keywitness.learnLab", (file) => run(context, "learn", file));
  on("keywitness.restart", async () => {
    await stop();
    complained = false;
    await Promise.all(workspace.textDocuments.map((document) => noticed(context, document)));
  });
  // What the server's lens asks for.
  on("keywitness.test", (file) => run(context, "test", file));
  context.subscriptions.push(workspace.onDidOpenTextDocument((document) => noticed(context, document)));
  context.subscriptions.push(workspace.onDidSaveTextDocument((document) => noticed(context, document)));
  await Promise.all(workspace.textDocuments.map((document) => noticed(context, document)));
}

module.exports = { activate, deactivate: stop };
