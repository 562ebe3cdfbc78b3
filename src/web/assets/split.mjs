// Panes: dividers that the pointer and the arrow keys move, tabs where the window is narrow, and the key between panes.

import { $, button } from "./dom.mjs";

function remembered(name) { try { return Number(localStorage.getItem(name)) || null; } catch { return null; } }
function remember(name, value) { try { localStorage.setItem(name, String(value)); } catch { /* not kept */ } }

/** `divider` shares out its parent: the part before it gets `--NAME` percent. */
export function divide(divider, name, { least, most, first }) {
  const parent = divider.parentElement;
  const across = divider.getAttribute("aria-orientation") === "vertical";
  const set = (value, keep = true) => {
    const share = Math.round(Math.min(most, Math.max(least, value)) * 10) / 10;
    parent.style.setProperty(`--${name}`, `${share}%`);
    divider.setAttribute("aria-valuenow", String(Math.round(share)));
    if (keep) remember(`keywitness.${name}`, share);
  };
  divider.setAttribute("aria-valuemin", String(least));
  divider.setAttribute("aria-valuemax", String(most));
  set(remembered(`keywitness.${name}`) ?? first, false);
  const now = () => Number(divider.getAttribute("aria-valuenow"));
  divider.addEventListener("keydown", ({ key, shiftKey }) => {
    const by = shiftKey ? 10 : 2;
    const to = { [across ? "ArrowLeft" : "ArrowUp"]: now() - by, [across ? "ArrowRight" : "ArrowDown"]: now() + by, Home: least, End: most, Enter: first }[key];
    if (to !== undefined) set(to);
  });
  divider.addEventListener("dblclick", () => set(first));
  divider.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    divider.focus();
    divider.setPointerCapture(event.pointerId);
    const move = ({ clientX, clientY }) => {
      const box = parent.getBoundingClientRect();
      set(across ? ((clientX - box.left) / box.width) * 100 : ((clientY - box.top) / box.height) * 100);
    };
    divider.addEventListener("pointermove", move);
    divider.addEventListener("lostpointercapture", () => divider.removeEventListener("pointermove", move), { once: true });
  });
}

const PANES = [["text", "Text"], ["terminals", "Terminals"], ["witness", "What etcd sees"]];

export function showPane(name) {
  document.body.dataset.pane = name;
  for (const tab of $("panes").children) tab.setAttribute("aria-pressed", String(tab.dataset.pane === name));
}

/** `focus` gives the focus to a pane's own place, for those that have one. */
export function panes(focus) {
  $("panes").hidden = false;
  $("panes").replaceChildren(...PANES.map(([name, label]) => button(label, { "data-pane": name, onclick: () => { showPane(name); focus[name]?.(); } })));
  showPane(document.body.dataset.pane);
  // Before xterm.js sees it: this key must leave the terminal.
  window.addEventListener("keydown", (event) => {
    if (event.key !== "F6" || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    const at = PANES.findIndex(([name]) => $(name).contains(document.activeElement));
    const [name] = PANES[(at + (event.shiftKey ? PANES.length - 1 : 1)) % PANES.length];
    showPane(name);
    (focus[name] ?? (() => $(name).focus()))();
  }, { capture: true });
}
