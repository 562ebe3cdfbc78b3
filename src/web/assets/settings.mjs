// What a reader sets for this browser: theme, size, and how the terminals speak.

import { $, button, el, icon } from "./dom.mjs";

const KEY = "keywitness.settings";
const listeners = new Set();

function read() {
  try { return JSON.parse(localStorage.getItem(KEY)) ?? {}; } catch { return {}; }
}

export const settings = { theme: "auto", size: 100, screenReader: false, ...read() };

function apply() {
  const root = document.documentElement;
  if (settings.theme === "auto") delete root.dataset.theme;
  else root.dataset.theme = settings.theme;
  root.style.setProperty("--size", String(settings.size / 100));
  for (const listener of listeners) listener(settings);
}

export function set(values) {
  Object.assign(settings, values);
  try { localStorage.setItem(KEY, JSON.stringify(settings)); } catch { /* a browser that keeps nothing: for this page only */ }
  apply();
}

export const onSettings = (listener) => { listeners.add(listener); listener(settings); };

const dark = matchMedia("(prefers-color-scheme: dark)");
dark.addEventListener("change", apply);
export const isDark = () => (settings.theme === "auto" ? dark.matches : settings.theme === "dark");
export const isStill = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

function choice(legend, name, options) {
  const inputs = options.map(([value, label]) => {
    const input = el("input", { type: "radio", name, value, onchange: () => set({ [name]: typeof settings[name] === "number" ? Number(value) : value }) });
    input.checked = String(settings[name]) === String(value);
    return el("label", {}, input, label);
  });
  return el("fieldset", { class: "choice" }, el("legend", {}, legend), inputs);
}

/** The menu of the top bar; `extra` are the page's own entries. */
export function menu(extra = []) {
  const reader = el("input", { type: "checkbox", onchange: () => set({ screenReader: reader.checked }) });
  reader.checked = settings.screenReader;
  const panel = el("div", { class: "menu-panel" },
    choice("Colours", "theme", [["auto", "As the system"], ["light", "Light"], ["dark", "Dark"]]),
    choice("Text size", "size", [["90", "Small"], ["100", "Normal"], ["125", "Large"], ["150", "Largest"]]),
    el("label", { class: "switch" }, reader, "Terminals for a screen reader"),
    extra.length ? el("div", { class: "menu-acts" }, extra) : null);
  const details = el("details", { class: "menu" }, el("summary", { "aria-label": "Menu", title: "Menu" }, icon("menu")), panel);
  panel.addEventListener("click", (event) => { if (event.target.closest(".menu-acts button")) details.open = false; });
  details.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !details.open) return;
    details.open = false;
    details.firstElementChild.focus();
  });
  document.addEventListener("pointerdown", (event) => { if (!details.contains(event.target)) details.open = false; });
  $("settings").replaceChildren(details);
}

export const menuAct = (label, work) => button(label, { class: "menu-act", onclick: work });
apply();
