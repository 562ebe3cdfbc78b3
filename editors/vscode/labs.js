// What the extension knows of labs without the server: whether a text is one, and where the program is.
"use strict";
const fs = require("node:fs");
const path = require("node:path");

const FENCE = /^[ \t>]*(?:`{3,}|~{3,})[ \t]*(?:(?:check|wait|question|answer)\b|(?:bash|sh|console|output)[ \t]*\{)/m;
const KEY = /^(?:level|minutes|needs|clusters|requires|cluster|etcd|vars)[ \t]*:/m;

// The server decides; this is asked only before anything is said or started.
function isLab(text) {
  const head = /^\uFEFF?---[ \t]*\r?\n([\s\S]*?)^(?:---|\.\.\.)[ \t]*$/m.exec(text);
  return (head !== null && head.index === 0 && KEY.test(head[1])) || FENCE.test(text);
}

function isProgram(file) {
  try {
    fs.accessSync(file, fs.constants.X_OK);
    return fs.statSync(file).isFile();
  } catch {
    return false;
  }
}

// The setting, then PATH, then what the extension brings along; undefined where there is none.
function findProgram(setting, env, folder) {
  if (setting) return isProgram(setting) ? setting : undefined;
  const name = process.platform === "win32" ? "keywitness.exe" : "keywitness";
  const folders = (env.PATH ?? "").split(path.delimiter).filter((one) => path.isAbsolute(one));
  return [...folders, path.join(folder, "bin")].map((one) => path.join(one, name)).find(isProgram);
}

module.exports = { isLab, findProgram };
