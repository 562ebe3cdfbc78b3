// An object as etcd holds it at a revision: where it lies, its YAML, and what changed since the revision before.

import { get, query } from "./api.mjs";
import { button, el, icon } from "./dom.mjs";

const AROUND = 3;

/** Long stretches without a change are folded. */
function lines(diff, whole) {
  const near = (index) => whole || diff.slice(Math.max(0, index - AROUND), index + AROUND + 1).some(({ sign }) => sign !== " ");
  const rows = [];
  for (let index = 0; index < diff.length;) {
    const { sign, text } = diff[index];
    if (near(index)) {
      const words = { "+": "added", "-": "removed" }[sign];
      rows.push(el("span", { class: `line${words ? ` line-${words}` : ""}` }, el("span", { class: "sign" }, sign), `${text}\n`));
      index += 1;
      continue;
    }
    let end = index;
    while (end < diff.length && !near(end)) end += 1;
    const folded = diff.slice(index, end);
    const fold = button(`${folded.length} lines without a change`, { class: "link fold", onclick: () => fold.replaceWith(...lines(folded, true)) });
    rows.push(fold);
    index = end;
  }
  return rows;
}

function trail(object) {
  const parts = object.path ?? object.key.split("/").filter(Boolean);
  return el("nav", { "aria-label": "Where it lies" }, el("ol", { class: "trail" }, parts.map((part, index) =>
    el("li", { ...(index === parts.length - 1 && { "aria-current": "true" }) }, part))));
}

/** `acts`: {back(), open({key, revision, seq?})}. */
export async function objectView(session, { key, revision, seq }, acts) {
  const object = await get(session.path(`object?${query({ key, revision, ...(seq !== undefined && { seq }) })}`));
  const words = object.type === "DELETE" ? "deleted" : object.created ? "created" : "changed";
  const diff = object.diff ?? (object.yaml ?? "").split("\n").map((text) => ({ sign: " ", text }));
  const signs = (sign) => diff.filter((line) => line.sign === sign).length;
  const plain = !diff.some((line) => line.sign !== " ");
  return el("article", { class: "object", "aria-labelledby": "object-title" },
    el("header", { class: "object-head" },
      button("All changes", { class: "small", onclick: acts.back }, icon("back")),
      el("h2", { id: "object-title" }, `Revision ${object.revision}: `, el("span", { class: `verb verb-${words}` }, words)),
      plain ? null : el("span", { class: "counts" }, el("span", { class: "line-added" }, `+${signs("+")}`), " ", el("span", { class: "line-removed" }, `−${signs("-")}`), el("span", { class: "hidden" }, " lines")),
      el("span", { class: "grow" }),
      object.previous_revision ? button(`Before: revision ${object.previous_revision}`, { class: "small", onclick: () => acts.open({ key, revision: object.previous_revision }) }) : null),
    trail(object),
    object.secret ? el("p", { class: "hint-text" }, "This is a Secret: its values are hidden.") : null,
    diff.length ? el("pre", { class: "yaml", tabindex: 0, "aria-label": "The object as YAML" }, lines(diff, plain || object.created || object.type === "DELETE")) : el("p", { class: "empty" }, "There is no object under this key any more."));
}
