// What etcd sees: the list of changes, an object beside it, and the time line under it.

import { Changes } from "./changes.mjs";
import { complain } from "./dialog.mjs";
import { $, button, el, iconButton, perFrame, plural, settled } from "./dom.mjs";
import { isBreak, matcher, verb } from "./keys.mjs";
import { objectView } from "./object.mjs";
import { showPane } from "./split.mjs";
import { TimeLine } from "./timeline.mjs";

const ROWS = 400;
const SIGNS = { created: "+", changed: "~", deleted: "−" };

function keyText(key) {
  const parts = key.split("/");
  const name = parts.pop();
  return el("span", { class: "key" }, el("span", { class: "key-path" }, `${parts.join("/")}/`), el("wbr"), el("span", { class: "key-name" }, name));
}

export class Witness {
  constructor(session, findCheck) {
    this.session = session;
    this.changes = new Changes(session);
    this.matches = () => true;
    this.held = 0;
    this.glob = el("input", { type: "search", id: "glob", placeholder: "/registry/pods/**", "aria-label": "Only keys like this (a part of the key, or a glob)", spellcheck: "false", autocomplete: "off" });
    this.glob.addEventListener("input", settled(120, () => { this.matches = matcher(this.glob.value); this.redraw(); }));
    this.noise = el("input", { type: "checkbox", id: "noise", onchange: () => { this.redraw(); this.timeLine.noise = this.noise.checked; this.timeLine.redraw(); } });
    this.pause = button("Pause", { class: "small", "aria-pressed": "false", onclick: () => this.paused(this.pause.getAttribute("aria-pressed") !== "true") });
    this.list = el("ol", { class: "changes", "aria-label": "Changes, the newest last", tabindex: 0 });
    this.empty = el("p", { class: "empty" });
    this.main = el("div", { class: "witness-main" }, this.list, this.empty);
    this.count = el("span", { class: "count" });
    this.full = iconButton("full", "Fill the window", { "aria-pressed": "false", onclick: () => this.fill(!document.body.classList.contains("witness-full")) });
    this.timeLine = new TimeLine(this.changes, { open: (change) => this.open(change), check: (mark) => { this.fill(false); showPane("text"); findCheck(mark); } });
    $("witness").replaceChildren(
      el("div", { class: "pane-bar" }, el("h2", { class: "pane-title" }, "What etcd sees"), this.count, el("span", { class: "grow" }),
        el("span", { class: "glob" }, this.glob), el("label", { class: "switch", title: "Leases, heartbeats, events and other writes that nobody asked for" }, this.noise, "background"), this.pause, this.full),
      this.main, this.timeLine.element);
    $("witness").addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      if (this.object) this.back();
      else this.fill(false);
    });
    this.list.addEventListener("click", (event) => this.clicked(event.target.closest("button")));
    this.append = perFrame(() => this.appended());
    this.changes.addEventListener("change", this.append);
    this.pending = 0;
    this.follows = true;
    this.list.addEventListener("scroll", () => { this.follows = this.list.scrollHeight - this.list.scrollTop - this.list.clientHeight < 40; });
    new ResizeObserver(() => this.toEnd()).observe(this.list);
    this.redraw();
  }

  toEnd() { if (this.follows) this.list.scrollTop = this.list.scrollHeight; }

  start(timeline) {
    this.timeLine.start(timeline);
    this.changes.listen();
  }

  clicked(at) {
    if (!at) return;
    if (at.dataset.fold !== undefined) { this.noise.checked = true; this.noise.dispatchEvent(new Event("change")); return; }
    this.open(this.changes.all.find(({ seq }) => String(seq) === at.dataset.seq));
  }

  row(change) {
    const what = verb(change);
    const lines = (change.what ?? []).filter((line) => line !== what);
    const shown = lines.slice(0, 3);
    const rest = lines.length - shown.length;
    return el("li", {}, el("button", { type: "button", class: `change change-${what}`, "data-seq": change.seq, "data-revision": change.revision, "data-noise": change.noise },
      el("span", { class: "revision" }, String(change.revision)),
      el("span", { class: `verb verb-${what}` }, el("span", { class: "verb-sign", "aria-hidden": "true" }, SIGNS[what]), what),
      keyText(change.key),
      shown.length ? el("span", { class: "what" }, shown.map((line) => el("span", {}, line)), rest > 0 ? el("span", { class: "rest" }, `and ${rest} more`) : null) : null));
  }

  /** Background writes in a row are one line. */
  fold(count) {
    return el("li", { class: "folded" }, button(`${plural(count, "background write")}`, { class: "link", "data-fold": "", title: "Show them" }));
  }

  appended() {
    const { all, dropped } = this.changes;
    const next = all.slice(Math.max(0, this.drawn - dropped));
    if (this.stopped) { this.tellHeld(next.filter((change) => !isBreak(change) && !change.noise && this.matches(change.key)).length); return; }
    for (const change of next) this.put(change);
    this.drawn = all.length + dropped;
    while (this.list.children.length > ROWS) this.list.firstElementChild.remove();
    this.tell();
    this.toEnd();
  }

  put(change) {
    if (isBreak(change)) {
      this.list.append(el("li", { class: "break" }, change.reason ?? (change.type === "GAP" ? "The watch missed some changes here." : "The cluster went back: revisions begin anew.")));
      return;
    }
    if (!this.matches(change.key)) return;
    if (change.noise && !this.noise.checked) {
      this.run = (this.list.lastElementChild?.classList.contains("folded") ? this.run : 0) + 1;
      if (this.run > 1) this.list.lastElementChild.replaceWith(this.fold(this.run));
      else this.list.append(this.fold(1));
    } else {
      this.list.append(this.row(change));
    }
    this.seen += 1;
  }

  redraw() {
    this.list.replaceChildren();
    this.seen = 0;
    this.drawn = this.changes.dropped;
    const stopped = this.stopped;
    this.stopped = false;
    this.follows = true;
    this.appended();
    this.stopped = stopped;
  }

  tell() {
    const rows = this.list.childElementCount;
    this.count.textContent = this.seen ? plural(this.seen, "write") : "";
    this.list.hidden = !rows || Boolean(this.object);
    this.empty.hidden = rows > 0 || Boolean(this.object);
    this.empty.textContent = this.changes.all.length ? "No key seen so far is like that." : "Nothing was written since the lab began. Each write to etcd appears here as it happens.";
  }

  tellHeld(count) {
    this.pause.textContent = count ? `Go on (${count} new)` : "Go on";
  }

  paused(on) {
    this.stopped = on;
    this.pause.setAttribute("aria-pressed", String(on));
    this.pause.textContent = on ? "Go on" : "Pause";
    if (!on) this.appended();
  }

  async open(change) {
    try {
      const view = await objectView(this.session, change, { back: () => this.back(), open: (other) => this.open(other) });
      showPane("witness");
      this.from ??= document.activeElement;
      this.object?.remove();
      this.object = view;
      this.list.hidden = true;
      this.empty.hidden = true;
      this.main.append(view);
      view.querySelector("button").focus();
    } catch (error) { complain(error); }
  }

  back() {
    this.object?.remove();
    this.object = null;
    this.timeLine.redraw();
    this.tell();
    this.list.scrollTop = this.list.scrollHeight;
    if (this.from?.isConnected) this.from.focus();
    this.from = null;
  }

  fill(on) {
    document.body.classList.toggle("witness-full", on);
    this.full.setAttribute("aria-pressed", String(on));
    this.timeLine.redraw();
  }
}
