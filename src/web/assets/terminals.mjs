// The terminals of a session: tabs, or two side by side.

import { post, remove } from "./api.mjs";
import { complain, confirm } from "./dialog.mjs";
import { $, button, el, iconButton } from "./dom.mjs";
import { showPane } from "./split.mjs";
import { Terminal } from "./terminal.mjs";

const STATES = { connecting: "connecting", lost: "connection lost, trying again", ended: "ended" };

export class Terminals {
  constructor(session, readOnly) {
    Object.assign(this, { session, readOnly, all: new Map(), active: null, sideBySide: false });
    this.tabs = el("div", { class: "tabs", role: "tablist", "aria-label": "Terminals" });
    this.tabs.addEventListener("keydown", (event) => this.tabKey(event));
    this.both = iconButton("columns", "Side by side", { "aria-pressed": "false", onclick: () => { this.sideBySide = !this.sideBySide; this.draw(); } });
    this.screens = el("div", { class: "screens" });
    this.bar = el("div", { class: "pane-bar" }, this.tabs,
      readOnly ? el("span", { class: "tag" }, "read-only") : iconButton("more", "One more terminal", { onclick: () => this.more().catch(complain) }),
      el("span", { class: "grow" }),
      el("span", { class: "keys" }, el("kbd", {}, "F6"), " leaves the terminal"),
      this.both);
    $("terminals").replaceChildren(this.bar, this.screens);
    session.on("event", (event) => {
      if (event.event === "terminal_opened") this.add(event);
      if (event.event === "terminal_closed") this.all.get(event.name)?.ended();
    });
  }

  open(list) { for (const known of [{ name: "main" }, ...list]) this.add(known); }

  add({ name, title }) {
    const known = this.all.get(name);
    if (known) {
      if (title && title !== known.title) { known.title = title; this.draw(); }
      return known;
    }
    const terminal = new Terminal(this.session, { name, title: title ?? (name === "main" ? "Terminal" : name), readOnly: this.readOnly }, () => this.draw());
    const id = `terminal-${this.all.size}-${name.replace(/[^A-Za-z0-9_-]/g, "_")}`;
    terminal.tab = el("button", { type: "button", role: "tab", id: `${id}-tab`, "aria-controls": id, onclick: () => this.select(name) });
    terminal.screen = el("div", { class: "screen", role: "tabpanel", id, "aria-labelledby": `${id}-tab` });
    this.tabs.append(terminal.tab);
    this.screens.append(terminal.screen);
    this.all.set(name, terminal);
    this.active ??= name;
    this.draw();
    terminal.open(terminal.screen);
    return terminal;
  }

  drop(name, terminal) {
    terminal.dispose();
    terminal.tab.remove();
    terminal.screen.remove();
    this.all.delete(name);
    if (this.active === name) this.active = this.all.keys().next().value ?? null;
  }

  /** The tab's own mark, and which screens are seen. */
  draw() {
    const names = [...this.all.keys()];
    const second = this.sideBySide ? names.find((name) => name !== this.active && name === this.beside) ?? names.find((name) => name !== this.active) : null;
    this.both.hidden = names.length < 2;
    this.both.setAttribute("aria-pressed", String(this.sideBySide));
    this.screens.classList.toggle("two", Boolean(second));
    for (const [name, terminal] of this.all) {
      const state = STATES[terminal.state];
      const selected = name === this.active;
      terminal.tab.setAttribute("aria-selected", String(selected));
      terminal.tab.tabIndex = selected ? 0 : -1;
      terminal.tab.replaceChildren(el("span", {}, terminal.title), ...(state ? [el("span", { class: "tag" }, state)] : []));
      terminal.screen.hidden = !(selected || name === second);
      terminal.screen.dataset.state = terminal.state;
    }
    this.closer?.remove();
    const active = this.all.get(this.active);
    if (active && !this.readOnly && this.active !== "main") {
      this.closer = iconButton("close", `Close ${active.title}`, { onclick: () => this.close(active).catch(complain) });
      this.bar.insertBefore(this.closer, this.bar.querySelector(".grow"));
    }
    if (active?.state === "ended" && !this.readOnly) {
      this.again ??= button("Open it again", { class: "small again" });
      this.again.onclick = () => this.reopen(active).catch(complain);
      active.screen.append(this.again);
    } else {
      this.again?.remove();
    }
  }

  select(name, focus = true) {
    if (name !== this.active) this.beside = this.active;
    this.active = name;
    this.draw();
    this.all.get(name)?.resized();
    if (focus) this.all.get(name)?.focus();
  }

  tabKey(event) {
    const names = [...this.all.keys()];
    const at = names.indexOf(this.active);
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: names.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    this.select(names[(to + names.length) % names.length], false);
    this.all.get(this.active).tab.focus();
  }

  async more(name, title) {
    const made = await post(this.session.path("terminals"), { ...(name && { name }), ...(title && { title }) });
    const terminal = this.add({ name: made.name, title: title ?? made.title ?? (name || `Terminal ${made.name}`) });
    this.select(made.name);
    return terminal;
  }

  async reopen(terminal) {
    const { name, title } = terminal;
    await post(this.session.path("terminals"), { name, title });
    this.drop(name, terminal);
    this.add({ name, title });
    this.select(name);
  }

  async close(terminal) {
    if (terminal.state === "open" && !(await confirm(`Close ${terminal.title}?`, "What still runs in it ends.", "Close it"))) return;
    if (terminal.state !== "ended") await remove(this.session.path(`terminals/${encodeURIComponent(terminal.name)}`));
    if (this.all.has(terminal.name)) this.drop(terminal.name, terminal);
    this.draw();
    this.focus();
  }

  /** The terminal into which the server types a block. */
  show(name) {
    showPane("terminals");
    this.add({ name });
    this.select(name);
  }

  dispose() { for (const [name, terminal] of this.all) this.drop(name, terminal); }

  focus() { (this.all.get(this.active) ?? { focus: () => $("terminals").focus() }).focus(); }
}
