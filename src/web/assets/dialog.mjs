// Questions before something that costs, and notices: one dialog at a time, and a live region that says each thing once.

import { $, button, el, icon } from "./dom.mjs";

/** Shows `content` with `acts` ([[value, label, class]]); resolves to the value chosen, null when it was left. */
export function ask(title, content, acts) {
  return new Promise((resolve) => {
    const dialog = el("dialog", { "aria-labelledby": "dialog-title" },
      el("form", { method: "dialog" },
        el("h2", { id: "dialog-title" }, title),
        content,
        el("div", { class: "dialog-acts" }, acts.map(([value, label, look]) => el("button", { value, class: look ?? "", ...(value === "" ? { formnovalidate: true } : {}) }, label)))));
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue || null);
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}

export const confirm = async (title, text, label) =>
  (await ask(title, el("p", {}, text), [["", "Cancel"], ["yes", label, "primary"]])) === "yes";

export const tell = (title, ...content) => ask(title, el("div", {}, content), [["", "Close", "primary"]]);

const SHOWN = 7000;

/** `kind`: a shape of icon(), or none. A failure stays until it is closed. */
export function say(text, { kind, hint, stays } = {}) {
  const region = $("said");
  const toast = el("div", { class: `toast toast-${kind ?? "note"}` }, kind ? icon(kind) : null,
    el("div", {}, el("p", {}, text), hint ? el("p", { class: "hint-text" }, hint) : null));
  const close = button("", { class: "plain", "aria-label": "Close this notice", onclick: () => toast.remove() }, icon("close"));
  toast.append(close);
  region.append(toast);
  while (region.children.length > 4) region.firstElementChild.remove();
  if (!stays) {
    let timer = setTimeout(() => toast.remove(), SHOWN);
    const hold = () => clearTimeout(timer);
    const go = () => { clearTimeout(timer); timer = setTimeout(() => toast.remove(), SHOWN); };
    toast.addEventListener("pointerenter", hold);
    toast.addEventListener("focusin", hold);
    toast.addEventListener("pointerleave", go);
    toast.addEventListener("focusout", go);
  }
  return toast;
}

export const complain = (error) => {
  if (!error.hint && !("status" in error)) console.error(error);
  say(error.message, { kind: "cannot_judge", hint: error.hint, stays: true });
};
