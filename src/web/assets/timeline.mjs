// The time line: commands above, etcd's writes below them, checks at the foot, so that one sees which command caused which writes.

import { button, el, iconButton, plural, svg, perFrame } from "./dom.mjs";
import { isBreak, kindOf, verb } from "./keys.mjs";
import { SIZES, layout } from "./timeline-layout.mjs";

const DRAWN = 600;
/** As in witness.css. */
const SHARE = 0.66;
const STANDINGS = { holds: "holds", not_yet: "does not hold any more", broken: "is broken", cannot_judge: "cannot be judged" };

const seconds = (milliseconds) => {
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  const whole = milliseconds / 1000;
  if (whole < 60) return `${whole.toFixed(whole < 10 ? 1 : 0)} s`;
  return whole < 3600 ? `${Math.round(whole / 60)} min` : `${(whole / 3600).toFixed(1)} h`;
};
const clock = (time) => new Date(time).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
const outcome = (run) => (run.end === null ? "still runs" : run.status === undefined ? "ended with its terminal" : `status ${run.status}`);
const oneLine = (text) => text.replace(/\\\n\s*/g, " ").split("\n").map((line) => line.trim()).filter(Boolean).join("; ");

export class TimeLine {
  constructor(changes, acts) {
    Object.assign(this, { changes, acts, commands: [], marks: [], zoom: 1, noise: false });
    this.labels = el("div", { class: "line-labels", "aria-hidden": "true" });
    this.scroll = el("div", { class: "line-scroll" });
    this.tip = el("div", { class: "line-tip", "aria-hidden": "true", hidden: true });
    this.table = el("div", { class: "line-table", hidden: true, tabindex: 0, role: "group", "aria-label": "The time line as a table" });
    this.tableButton = button("As a table", { class: "small", "aria-pressed": "false", onclick: () => this.asTable(this.table.hidden) });
    this.picture = el("div", { class: "line-picture" }, this.labels, this.scroll);
    this.element = el("section", { class: "line", "aria-labelledby": "line-title" },
      el("div", { class: "pane-bar" }, el("h2", { class: "pane-title", id: "line-title" }, "Time line"), el("span", { class: "legend", "aria-hidden": "true" }, this.legend()), el("span", { class: "grow" }),
        this.tableButton, button("−", { class: "small zoom", "aria-label": "Narrower", onclick: () => this.zoomed(1 / 1.4) }), button("+", { class: "small zoom", "aria-label": "Wider", onclick: () => this.zoomed(1.4) }),
        button("Fit", { class: "small zoom", onclick: () => this.fit() })),
      this.picture, this.table, this.tip);
    this.redraw = perFrame(() => this.draw());
    changes.addEventListener("change", ({ detail }) => { if (!detail.noise || this.noise) this.redraw(); });
    this.scroll.addEventListener("keydown", (event) => this.key(event));
    for (const [on, off] of [["pointerover", "pointerout"], ["focusin", "focusout"]]) {
      this.scroll.addEventListener(on, (event) => { const mark = event.target.closest?.("[data-mark]"); if (mark) this.point(mark); });
      this.scroll.addEventListener(off, () => this.point(null));
    }
    this.scroll.addEventListener("click", (event) => { const mark = event.target.closest?.("[data-mark]"); if (mark) this.open(mark); });
    new ResizeObserver(this.redraw).observe(this.scroll);
  }

  legend() {
    const sign = (what) => svg("svg", { viewBox: "-8 -8 16 16", width: 14, height: 14, class: `event event-${what}` }, this.glyph(what));
    return ["created", "changed", "deleted"].map((what) => el("span", {}, sign(what), what));
  }

  start({ commands = [], marks = [] }) {
    this.commands = commands;
    this.marks = marks.filter(({ standing }) => standing !== "waiting");
    this.redraw();
  }

  command(ran) {
    const known = this.commands.findIndex((command) => command.terminal === ran.terminal && command.began === ran.began);
    if (known >= 0) this.commands[known] = ran;
    else this.commands.push(ran);
    this.redraw();
  }

  /** A terminal has ended, and with it what ran in it: with which status, nobody knows. */
  left({ terminal, at }) {
    for (const command of this.commands) if (command.terminal === terminal && !command.ended) command.ended = at;
    this.redraw();
  }

  mark(mark) {
    const last = this.marks.findLast(({ step, check }) => step === mark.step && check === mark.check);
    if (mark.standing === "waiting" || last?.standing === mark.standing || (!last && mark.standing === "not_yet")) return;
    this.marks.push(mark);
    this.redraw();
  }

  glyph(what) {
    if (what === "created") return [svg("path", { d: "M0-6 6 5H-6Z", class: "full" })];
    if (what === "deleted") return [svg("path", { d: "m-4.5-4.5 9 9m0-9-9 9" })];
    return [svg("circle", { r: 4.5 })];
  }

  draw() {
    if (!this.scroll.offsetParent && this.table.hidden) return;
    const changes = this.writes();
    const first = changes[0]?.time ?? 0;
    const late = this.changes.all.length > DRAWN ? (at) => Date.parse(at) >= first : () => true;
    const it = layout({ commands: this.commands.filter(({ began, text }) => text && late(began)), changes, marks: this.marks.filter(({ at }) => late(at)) }, this.zoom, this.room(), Math.max(14, Number.parseFloat(getComputedStyle(this.labels).fontSize) * 1.2));
    this.laid = it;
    if (!this.table.hidden) this.drawTable(it);
    const empty = !it.runs.length && !it.writes.length;
    this.labels.hidden = empty;
    if (empty) {
      this.scroll.replaceChildren(el("p", { class: "empty" }, "Your commands will stand here, and under each of them what it made etcd write."));
      return;
    }
    const end = this.scroll.scrollWidth - this.scroll.scrollLeft - this.scroll.clientWidth < 60;
    const focus = this.scroll.contains(document.activeElement) ? document.activeElement.dataset.mark : null;
    const width = Math.max(it.width, this.scroll.clientWidth - 2);
    const picture = svg("svg", { class: "line-svg", width, height: it.height, viewBox: `0 0 ${width} ${it.height}`, role: "group", "aria-label": `Time line: ${plural(it.runs.length, "command")}, ${plural(it.writes.length, "write")}, ${plural(it.judged.length, "verdict")}. Arrow keys go through it, Enter opens.` });
    picture.append(...this.ground(it, width), ...this.links(it), ...this.commandMarks(it), ...this.writeMarks(it), ...this.checkMarks(it));
    this.scroll.replaceChildren(picture);
    const marks = this.inOrder();
    (marks.find((mark) => mark.dataset.mark === this.current) ?? marks.at(-1))?.setAttribute("tabindex", "0");
    if (focus) picture.querySelector(`[data-mark="${CSS.escape(focus)}"]`)?.focus({ preventScroll: true });
    if (end) this.scroll.scrollLeft = this.scroll.scrollWidth;
    this.drawLabels(it);
  }

  /** The height that the picture may take of its pane. */
  room() { return (this.element.parentElement?.clientHeight ?? 0) * SHARE - this.element.firstElementChild.offsetHeight - 2; }

  writes() { return this.changes.all.filter((change) => !isBreak(change) && (this.noise || !change.noise)).slice(-DRAWN); }

  drawLabels(it) {
    const label = (text, y, height, kind) => {
      const part = el("span", { class: kind, title: text }, text);
      part.style.top = `${y}px`;
      part.style.height = `${height}px`;
      return part;
    };
    this.labels.style.height = `${it.height}px`;
    this.labels.replaceChildren(
      ...it.terminals.map((name, lane) => label(name === "main" ? "terminal" : name, SIZES.top + lane * SIZES.command, SIZES.command, "of-commands")),
      ...it.kinds.map((kind, lane) => label(kind, it.events + lane * it.lane, it.lane, "of-writes")),
      label("checks", it.checks, SIZES.checks, "of-checks"));
  }

  ground(it, width) {
    return [
      ...it.kinds.map((_, lane) => svg("path", { class: "lane", d: `M0 ${it.events + lane * it.lane + it.lane / 2}H${width}` })),
      svg("path", { class: "floor", d: `M0 ${it.checks + 0.5}H${width}` }),
      ...it.breaks.map(({ x, gap }) => svg("g", { class: "pause" }, svg("path", { d: `M${x} ${SIZES.top}V${it.height - 4}` }), svg("text", { x, y: 15, "text-anchor": "middle" }, `${seconds(gap)}`))),
      ...it.ticks.filter(({ x }) => !it.breaks.some((pause) => Math.abs(pause.x - x - 26) < 8)).map(({ x, time }) => svg("text", { class: "tick", x, y: 15 }, clock(time))),
    ];
  }

  /** From a command down to its writes: straight while it ran, bent and dashed for what followed. */
  links(it) {
    const parts = [];
    for (const [index, run] of it.runs.entries()) {
      const own = run.writes;
      if (!own.length) continue;
      const [left, right] = [Math.min(run.x, own[0].x) - 9, Math.max(run.long ? run.x : run.endX, own.at(-1).x) + 9];
      parts.push(svg("rect", { class: "band", x: left, y: run.y + 34, width: right - left, height: it.checks - run.y - 34, rx: 5, "data-of": index }));
    }
    for (const [index, run] of it.runs.entries()) {
      for (const write of run.writes) {
        const from = run.y + 34;
        const to = write.y - 7;
        const straight = write.during && write.x <= run.endX;
        const d = straight ? `M${write.x} ${from}V${to}` : `M${Math.min(run.endX, write.x) - 4} ${from}C${run.endX + 4} ${it.events},${write.x} ${it.rain},${write.x} ${to}`;
        parts.push(svg("path", { class: `cause${straight ? "" : " follows"}`, d, "data-of": index, "data-to": write.change.revision }));
      }
    }
    for (const judge of it.judged) {
      if (!judge.source) continue;
      const { source } = judge;
      const down = source.y + 7;
      parts.push(svg("path", { class: "proof", d: `M${source.x} ${down}C${source.x} ${it.checks},${judge.x} ${it.checks - 12},${judge.x} ${judge.y - 9}`, "data-to": judge.mark.revision }));
    }
    return parts;
  }

  commandMarks(it) {
    return it.runs.map((run, index) => {
      const text = oneLine(run.text);
      const next = it.runs.find((other, at) => at > index && other.terminal === run.terminal);
      const room = Math.max(40, (next?.x ?? Math.max(it.width, this.scroll.clientWidth)) - run.x - 10);
      const running = run.end === null;
      const failed = !running && run.status !== undefined && run.status !== 0;
      const state = failed ? `ended with ${outcome(run)}` : run.status === 0 ? `took ${seconds(run.end - run.time)}` : outcome(run);
      const caused = run.writes.length ? `, ${plural(run.writes.length, "write")}` : ", no write";
      const sign = failed ? `✗${run.status} ` : "";
      const fit = Math.floor(room / 6.7) - sign.length;
      const end = running ? Math.max(it.width, this.scroll.clientWidth) - 14 : Math.min(run.endX, next ? next.x - 6 : Infinity);
      const width = Math.max(8, end - run.x);
      return svg("g", { class: `command${failed ? " failed" : ""}${running ? " running" : ""}`, "data-mark": `c${index}`, "data-of": index, role: "img", tabindex: -1, "aria-label": `Command ${text}, ${state}${caused}`, transform: `translate(${run.x} ${run.y})` },
        svg("rect", { class: "target", x: -4, y: 0, width: room, height: 36 }),
        svg("text", { y: 17 }, failed ? svg("tspan", { class: "failed-sign" }, sign) : "", text.length > fit ? `${text.slice(0, Math.max(1, fit - 1))}…` : text),
        svg("rect", { class: "bar", y: 24, width, height: 9, rx: 4.5 }));
    });
  }

  writeMarks(it) {
    return it.writes.map((write, index) => svg("g", { class: `event event-${write.verb}${write.change.noise ? " noise" : ""}`, "data-mark": `w${index}`, "data-of": it.runs.indexOf(write.run), "data-revision": write.change.revision, role: "button", tabindex: -1,
      "aria-label": `Revision ${write.change.revision}, ${write.verb}, ${write.change.key}`, transform: `translate(${write.x} ${write.y})` },
    svg("circle", { class: "target", r: 11 }), this.glyph(write.verb)));
  }

  checkMarks(it) {
    return it.judged.map(({ mark, x, y }, index) => svg("g", { class: `verdict verdict-${mark.standing}`, "data-mark": `j${index}`, "data-revision": mark.revision, role: "button", tabindex: -1,
      "aria-label": `Check ${mark.check} ${mark.number ? `of step ${mark.number} ` : ""}${STANDINGS[mark.standing] ?? mark.standing}`, transform: `translate(${x} ${y})` },
    svg("circle", { class: "target", r: 12 }),
    mark.standing === "holds" ? [svg("circle", { r: 8, class: "full" }), svg("path", { d: "m-3.5.3 2.5 2.5 4.5-5", class: "cut" })]
      : mark.standing === "broken" ? [svg("path", { d: "M-3.5-8h7l4.5 4.500v7L3.5 8h-7L-8 3.500v-7z", class: "full" }), svg("path", { d: "m-3-3 6 6m0-6-6 6", class: "cut" })]
        : mark.standing === "cannot_judge" ? [svg("path", { d: "M0-8 8 7H-8Z" }), svg("path", { d: "M0-3v4m0 2.500v.1" })] : [svg("circle", { r: 7 })]));
  }

  inOrder() {
    const x = (mark) => Number(/translate\(([\d.]+)/.exec(mark.getAttribute("transform"))?.[1] ?? 0);
    return [...this.scroll.querySelectorAll("[data-mark]")].sort((a, b) => x(a) - x(b));
  }

  key(event) {
    const at = event.target.closest?.("[data-mark]");
    if (!at) return;
    if (event.key === "Enter" || event.key === " ") { event.preventDefault(); this.open(at); return; }
    if (event.key === "+" || event.key === "-") { this.zoomed(event.key === "+" ? 1.4 : 1 / 1.4); return; }
    const kind = at.dataset.mark[0];
    const order = this.inOrder();
    const index = order.indexOf(at);
    const lanes = ["c", "w", "j"];
    const lane = (step) => {
      for (let to = lanes.indexOf(kind) + step; to >= 0 && to < lanes.length; to += step) {
        const near = order.filter((mark) => mark.dataset.mark[0] === lanes[to]);
        if (near.length) return near.reduce((best, mark) => (Math.abs(order.indexOf(mark) - index) < Math.abs(order.indexOf(best) - index) ? mark : best));
      }
      return null;
    };
    const to = { ArrowRight: () => order[index + 1], ArrowLeft: () => order[index - 1], Home: () => order[0], End: () => order.at(-1), ArrowDown: () => lane(1), ArrowUp: () => lane(-1) }[event.key];
    if (!to) return;
    event.preventDefault();
    const next = to();
    if (!next) return;
    at.setAttribute("tabindex", "-1");
    next.setAttribute("tabindex", "0");
    this.current = next.dataset.mark;
    next.focus();
    next.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  /** Shows what a mark is, and what belongs to it. */
  point(mark) {
    for (const lit of this.scroll.querySelectorAll(".lit")) lit.classList.remove("lit");
    this.scroll.classList.toggle("pointed", Boolean(mark));
    this.tip.hidden = !mark;
    if (!mark || !this.laid) return;
    const [kind, index] = [mark.dataset.mark[0], Number(mark.dataset.mark.slice(1))];
    const it = this.laid;
    const light = (selector) => { for (const part of this.scroll.querySelectorAll(selector)) part.classList.add("lit"); };
    mark.classList.add("lit");
    let lines;
    if (kind === "c") {
      const run = it.runs[index];
      light(`[data-of="${index}"]`);
      const state = run.end === null ? outcome(run) : `${seconds(run.end - run.time)}, ${outcome(run)}`;
      lines = [el("code", {}, run.text), el("span", {}, `${clock(run.time)} · ${state} · ${run.writes.length ? plural(run.writes.length, "write") : "no write"}`)];
    } else if (kind === "w") {
      const { change, run, during, time } = it.writes[index];
      if (run) light(`.command[data-of="${it.runs.indexOf(run)}"], .cause[data-to="${change.revision}"], .band[data-of="${it.runs.indexOf(run)}"]`);
      light(`.proof[data-to="${change.revision}"], .verdict[data-revision="${change.revision}"]`);
      const cause = run ? `${seconds(Math.max(0, time - run.time))} after ${during ? "the start of" : "("} ${oneLine(run.text).slice(0, 60)}${during ? "" : ")"}` : "no command of yours just before";
      lines = [el("span", {}, el("b", {}, `revision ${change.revision} ${verb(change)} `), el("code", {}, change.key)), ...(change.what ?? []).slice(0, 3).map((line) => el("span", {}, line)),
        el("span", { class: "hint-text" }, `${clock(time)}${change.by ? ` · by ${change.by}` : ""} · ${cause.replace("after ( ", "after ").replace(/\)$/, "")}`)];
    } else {
      const { mark: { step, check, standing, revision, text }, time } = it.judged[index];
      if (revision) light(`.proof[data-to="${revision}"], .event[data-revision="${revision}"], .cause[data-to="${revision}"]`);
      lines = [el("b", {}, `Check ${check} ${STANDINGS[standing] ?? standing}`), text ? el("code", {}, text) : null, el("span", { class: "hint-text" }, `${clock(time)}${revision ? ` · by revision ${revision}` : ""} · step ${step}`)];
    }
    this.tip.replaceChildren(...lines.filter(Boolean));
  }

  open(mark) {
    const [kind, index] = [mark.dataset.mark[0], Number(mark.dataset.mark.slice(1))];
    if (kind === "w") this.acts.open(this.laid.writes[index].change);
    if (kind === "j") this.acts.check(this.laid.judged[index].mark);
  }

  zoomed(by) {
    this.zoom = Math.min(4, Math.max(0.15, this.zoom * by));
    this.redraw();
  }

  fit() {
    for (this.zoom = 2; this.zoom > 0.15; this.zoom *= 0.85) {
      const { width } = layout({ commands: this.commands, changes: this.writes(), marks: this.marks }, this.zoom);
      if (width <= this.scroll.clientWidth) break;
    }
    this.redraw();
  }

  asTable(on) {
    this.table.hidden = !on;
    this.picture.hidden = on;
    this.tableButton.setAttribute("aria-pressed", String(on));
    this.draw();
  }

  drawTable(it) {
    const rows = [
      ...it.runs.map((run) => [run.time, "command", oneLine(run.text), run.end === null ? outcome(run) : `${outcome(run)}, ${plural(run.writes.length, "write")}`]),
      ...it.writes.map(({ time, change, run }) => [time, `${verb(change)} ${kindOf(change.key)}`, change.key, `revision ${change.revision}${run ? `, after ${oneLine(run.text).slice(0, 60)}` : ""}`]),
      ...it.judged.map(({ time, mark }) => [time, "check", `check ${mark.check} ${STANDINGS[mark.standing] ?? mark.standing}`, mark.revision ? `by revision ${mark.revision}` : ""]),
    ].sort((a, b) => a[0] - b[0]);
    this.table.replaceChildren(el("table", {}, el("caption", { class: "hidden" }, "Commands, writes and checks in the order of time"),
      el("thead", {}, el("tr", {}, ["Time", "What", "Which", "More"].map((name) => el("th", { scope: "col" }, name)))),
      el("tbody", {}, rows.map(([time, ...cells]) => el("tr", {}, el("td", {}, clock(time)), cells.map((cell) => el("td", {}, cell)))))));
  }
}
