// The lab page: opens the session, and keeps what is shown at what the session tells.

import { get, link, post, query, secret, wait } from "./api.mjs";
import { ask, complain, confirm, say, tell } from "./dialog.mjs";
import { $, button, el, icon, plural, settled } from "./dom.mjs";
import { handout } from "./handout.mjs";
import { Session } from "./session.mjs";
import { menu, menuAct } from "./settings.mjs";
import { divide, panes } from "./split.mjs";
import { Terminals } from "./terminals.mjs";
import { Text } from "./text.mjs";
import { Witness } from "./witness.mjs";

/** The lab is to begin again, after the reload. */
const FRESH = "keywitness.fresh";
const STATES = { done: "done", skipped: "skipped", open: "in progress", untouched: "not begun" };

class Lab {
  constructor(session) {
    this.session = session;
    /** The number of a step that is only looked at. */
    this.looking = null;
    this.said = new Map();
    this.drawn = {};
    this.refresh = settled(80, () => this.load().catch(complain));
  }

  begin(page) {
    const { session } = this;
    this.readOnly = Boolean(page.read_only ?? page.present);
    document.documentElement.classList.toggle("present", Boolean(page.present));
    document.body.classList.toggle("read-only", this.readOnly);
    $("start").hidden = true;
    $("room").hidden = false;
    this.terminals = new Terminals(session, this.readOnly);
    this.text = new Text(session, { run: (typed) => this.terminals.show(typed.terminal), open: (evidence) => this.witness.open(evidence), hint: () => this.hint(), look: (id) => this.find(this.steps.findIndex((step) => step.id === id) + 1) });
    this.witness = new Witness(session, ({ step, number, check }) => this.find(number ?? this.steps.findIndex(({ id }) => id === step) + 1, check));
    divide($("split"), "text-share", { least: 20, most: 80, first: 44 });
    divide($("split-witness"), "terminal-share", { least: 15, most: 85, first: 42 });
    panes({ terminals: () => this.terminals.focus() });
    this.show(page);
    this.menu();
    this.terminals.open(page.terminals ?? []);
    session.on("event", (event) => this.happened(event));
    session.on("stale", this.refresh);
    session.on("again", () => { this.refresh(); this.timeline(true); });
    session.on("link", (up) => { document.body.classList.toggle("unlinked", !up); });
    session.on("gone", (error) => this.ended(error.message, error.hint));
    session.listen();
    if (page.resumed) say("Resumed where the lab was left");
    for (const note of page.notes ?? []) say(note);
    this.timeline(false);
    window.addEventListener("keydown", (event) => {
      if (!(event.ctrlKey || event.metaKey) || event.shiftKey || event.altKey || event.key.toLowerCase() !== "p" || $("terminals").contains(document.activeElement)) return;
      event.preventDefault();
      this.print();
    });
  }

  async timeline(again) {
    try {
      const known = await get(this.session.path("timeline"));
      if (again) this.witness.timeLine.start(known);
      else this.witness.start(known);
    } catch (error) {
      if (!again) this.witness.start({});
      complain(error);
    }
  }

  async load() {
    let page;
    try {
      page = await this.session.fetchPage(this.looking);
    } catch (error) {
      if (error.name === "AbortError") return;
      throw error;
    }
    if (page.ended) this.ended("The lab has ended.");
    if (page.view) this.show(page);
  }

  show(page) {
    this.page = page;
    this.steps = page.steps;
    const { view } = page;
    document.title = `${view.lab.title} · keywitness`;
    $("title").textContent = view.lab.title;
    $("points").hidden = !view.max_points;
    $("points").replaceChildren(el("b", {}, String(view.points)), ` of ${plural(view.max_points, "point")}`);
    this.text.show(page, this.readOnly);
    this.showSteps();
    this.showActs();
  }

  /** Whether this part has to be drawn again: a menu stays open, and the focus where it is, while nothing differs. */
  differs(part, value) {
    const now = JSON.stringify(value);
    if (this.drawn[part] === now) return false;
    this.drawn[part] = now;
    return true;
  }

  showSteps() {
    const { view, step } = this.page;
    const at = (line) => (line.number === view.open && !view.finished ? "open" : line.state);
    if (!this.differs("steps", [this.steps, view.open, view.finished, step.number])) return;
    $("steps").replaceChildren(el("ol", {}, this.steps.map((line) => {
      const state = at(line);
      const words = `Step ${line.number}: ${line.title}, ${STATES[state] ?? state}${line.checks ? `, ${line.held} of ${plural(line.checks, "check")}` : ""}`;
      return el("li", {}, el("button", { type: "button", class: "step-mark", "data-state": state, title: words, "aria-label": words, "aria-current": line.number === step.number ? "step" : null,
        onclick: () => this.look(line.number) }, ["done", "skipped"].includes(state) ? icon(state) : String(line.number)));
    })));
    $("steps").querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
  }

  /** What stands of the step's checks and questions, and what can be done. */
  showActs() {
    const { view, step } = this.page;
    const shown = view.step;
    const looking = step.number !== shown.number;
    if (!this.differs("acts", [shown, view.cluster.lost, step.number, view.open, view.of, view.finished, this.readOnly, this.steps[shown.number - 1]?.can_reset])) return;
    const checks = shown.checks.filter((check) => !check.left);
    const held = checks.filter((check) => check.standing === "holds").length;
    const asked = shown.questions.filter((question) => !question.left && !question.right).length;
    const stands = [];
    if (!looking) {
      if (checks.length) stands.push(el("span", { class: `stand${held === checks.length ? " stand-holds" : ""}` }, icon(held === checks.length ? "holds" : "not_yet"), `${held} of ${plural(checks.length, "check")}`));
      if (asked) stands.push(el("span", { class: "stand" }, plural(asked, "open question")));
      if (view.cluster.lost) stands.push(el("span", { class: "stand", title: view.cluster.lost }, "etcd does not answer: nothing is judged until it does"));
      else if (shown.preparing) stands.push(el("span", { class: "stand busy" }, "being prepared…"));
    }
    const acts = [];
    if (looking) {
      acts.push(el("span", { class: "stand" }, `You look at step ${step.number}; step ${shown.number} is in progress.`), button(`Back to step ${shown.number}`, { class: "primary", onclick: () => this.look(shown.number) }));
    } else if (!this.readOnly) {
      const current = shown.number === view.open && !view.finished;
      const last = shown.number === view.of;
      acts.push(button("Previous", { disabled: shown.number === 1, onclick: () => this.go({ request: "prev" }) }));
      if (current) {
        const left = shown.hints - shown.hints_given;
        if (shown.hints) acts.push(button(`Hint (${shown.hints_given} of ${shown.hints})`, { disabled: left < 1, onclick: () => this.hint() }));
        if (shown.has_solution) acts.push(button("Solution", { disabled: shown.solution_shown, onclick: () => this.solution() }));
        acts.push(this.more(shown));
      }
      const ready = shown.green || !current;
      if (!view.finished || !last) acts.push(button(last ? "Finish" : "Next", { disabled: current && shown.preparing, class: ready ? "primary next" : "next", onclick: () => this.go({ request: "next" }, { title: "Go on?" }) }));
      else acts.push(el("a", { class: "button primary", href: link("./") }, "All labs"));
    }
    const focused = $("acts").contains(document.activeElement) ? document.activeElement.textContent : null;
    const open = $("acts").querySelector("details")?.open;
    $("acts").replaceChildren(el("div", { class: "stands", role: "status" }, stands), el("div", { class: "step-acts" }, acts));
    const menu = $("acts").querySelector("details");
    if (menu) menu.open = Boolean(open);
    if (focused) [...$("acts").querySelectorAll("button, summary")].find((one) => one.textContent === focused)?.focus();
  }

  more(shown) {
    const acts = [
      button("Do this step for me", { onclick: () => this.solve() }),
      button("Skip this step", { onclick: () => this.go({ request: "skip" }, { title: "Skip this step?", go: "Skip it" }) }),
      button("Back to the start of this step", { disabled: !this.steps[shown.number - 1]?.can_reset, onclick: () => this.reset(shown.number) }),
    ];
    const details = el("details", { class: "menu up" }, el("summary", { class: "button" }, "More"), el("div", { class: "menu-panel" }, el("div", { class: "menu-acts" }, acts)));
    details.addEventListener("keydown", (event) => { if (event.key === "Escape") { details.open = false; details.firstElementChild.focus(); } });
    details.addEventListener("click", (event) => { if (event.target.closest(".menu-acts button")) details.open = false; });
    return details;
  }

  menu() {
    const entries = [menuAct("Print the lab", () => this.print()), menuAct("Keys", () => this.keys())];
    if (!this.readOnly) {
      if (this.page?.can_present) entries.push(menuAct("Link for the class", () => this.present().catch(complain)));
      entries.push(menuAct("Begin the lab again", () => this.again().catch(complain)));
      entries.push(menuAct("Leave the lab", () => this.leave().catch(complain)));
    }
    menu(entries);
  }

  async look(number) {
    const { view } = this.page;
    this.looking = number === view.step.number ? null : number;
    try {
      await this.load();
    } catch (error) { complain(error); }
  }

  async find(number, check) {
    if (number && number !== this.page.step.number) await this.look(number);
    if (check) this.text.find(check);
  }

  async go(request, words) {
    try {
      this.looking = null;
      if (await this.session.ask(request, words)) await this.load();
    } catch (error) { complain(error); }
  }

  async hint() {
    try {
      const answer = await this.session.ask({ request: "hint" });
      if (!answer) return;
      await this.load();
      const fold = $("page").querySelector(`details.hint[data-hint="${answer.hint.number}"]`);
      if (!fold) { await tell(`Hint ${answer.hint.number} of ${answer.hint.of}: ${answer.hint.summary}`, el("p", { class: "as-written" }, answer.hint.markdown)); return; }
      fold.open = true;
      fold.scrollIntoView({ block: "nearest" });
      fold.querySelector("summary")?.focus();
    } catch (error) { complain(error); }
  }

  async solution() {
    try {
      if (!(await this.session.ask({ request: "solution" }, { title: "Show the solution?", go: "Show it" }))) return;
      await this.load();
      $("page").querySelector(".solution")?.scrollIntoView({ block: "nearest" });
    } catch (error) { complain(error); }
  }

  async solve() {
    if (!(await confirm("Do this step for you?", "keywitness runs the step's commands that are left, its solution too. Its checks earn no points then.", "Run them"))) return;
    this.go({ request: "solve" });
  }

  async reset(number) {
    if (!(await confirm(`Back to the start of step ${number}?`, "The cluster goes back to how it was when the step began. What you made since then is gone.", "Go back"))) return;
    try {
      const answer = await this.session.ask({ request: "reset", step: String(number) });
      if (answer?.left?.length) tell("Back at the start of the step", el("p", {}, "This could not be undone:"), el("ul", {}, answer.left.map((line) => el("li", {}, line))));
      this.looking = null;
      if (answer) await this.load();
    } catch (error) { complain(error); }
  }

  /** Each thing that the session tells, once. */
  happened(event) {
    const line = this.steps.find(({ id }) => id === event.step);
    switch (event.event) {
      case "check_turned": {
        if (!this.looking && event.step === this.page.view.step.id) {
          const { checks } = this.page.view.step;
          const index = checks.findIndex(({ number }) => number === event.check.number);
          if (index >= 0) checks[index] = event.check;
          this.text.check(event.check);
          this.showActs();
        }
        this.witness.timeLine.mark({ step: event.step, number: line?.number, check: event.check.number, text: event.check.text, standing: event.now, at: event.at ?? new Date().toISOString(), revision: event.check.revision ?? event.evidence?.[0]?.revision });
        this.once(`${event.step} ${event.check.number}`, event.now, () => {
          const which = `Check ${event.check.number}${line && line.number !== this.page.step.number ? ` of step ${line.number}` : ""}`;
          if (event.now === "holds") say(`${which} holds`, { kind: "holds" });
          if (event.now === "broken") say(`${which} is broken`, { kind: "broken", hint: event.check.reason });
          if (event.was === "holds" && event.now === "not_yet") say(`${which} does not hold any more`, { kind: "not_yet" });
        });
        break;
      }
      case "step_green":
        this.once(`step ${event.step}`, "green", () => say(this.page.view.open === this.page.view.of ? "Every check holds: finish the lab" : "Every check of this step holds", { kind: "holds" }));
        break;
      case "step_broke": this.said.delete(`step ${event.step}`); break;
      case "step_done": say(`Step ${line?.number ?? ""} is done: ${event.points} of ${plural(event.max_points, "point")}`, { kind: "holds" }); break;
      case "went_back": this.said.clear(); say("Back at the start of the step"); break;
      case "block_finished": if (event.verdict === "fail") say(`A block failed: ${event.reason ?? "see its output"}`, { kind: "broken" }); break;
      case "noticed": say(event.message); break;
      case "cluster_lost": this.lost = say("etcd does not answer", { kind: "cannot_judge", hint: event.reason, stays: true }); break;
      case "cluster_back": this.lost?.remove(); say("etcd answers again", { kind: "holds" }); break;
      case "missed": this.timeline(true); break;
      case "command_finished": case "command_began": this.witness.timeLine.command(event); break;
      case "terminal_left": this.witness.timeLine.left(event); break;
      case "finished": this.finished(event.summary); break;
      case "ended": this.ended(event.kept ? "The lab was left; it can be resumed." : "The lab has ended."); return;
      case "terminal_opened": case "terminal_closed": return;
      default:
    }
    this.refresh();
  }

  once(what, how, work) {
    if (this.said.get(what) === how) return;
    this.said.set(what, how);
    work();
  }

  finished(summary) {
    const minutes = Math.max(1, Math.round(summary.seconds / 60));
    const facts = [["Points", `${summary.points} of ${summary.max_points}`], ["Time", plural(minutes, "minute")], ["Hints", String(summary.hints)], ["Wrong answers", String(summary.wrong_answers)]];
    ask("Finished", el("div", { class: "summary" }, el("p", {}, `You are through “${summary.title}”.`), el("dl", {}, facts.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))))),
      [["", "Stay here"], ["labs", "All labs", "primary"]]).then((choice) => { if (choice === "labs") location.assign(link("./")); });
  }

  ended(words, hint) {
    if (this.over) return;
    this.over = true;
    this.session.left.abort();
    this.terminals.dispose();
    $("start").hidden = false;
    $("room").hidden = true;
    $("panes").hidden = true;
    this.notice(words, hint);
  }

  notice(words, hint) {
    $("start").replaceChildren(el("div", { class: "notice" }, el("h1", {}, words), hint ? el("p", {}, hint) : null, el("p", {}, el("a", { class: "button primary", href: link("./") }, "All labs"))));
  }

  async leave() {
    const choice = await ask("Leave the lab?", el("p", {}, "Kept, it goes on where it stands. Ended, its cluster is gone, and your progress stays."), [["", "Stay"], ["end", "End it"], ["keep", "Leave and keep", "primary"]]);
    if (!choice) return;
    if (await this.close(choice === "keep", "The lab is being left…")) location.assign(link("./"));
  }

  async again() {
    if (!(await confirm("Begin the lab again?", "Its cluster is made anew, and your progress and points in this lab begin at nothing.", "Begin again"))) return;
    if (!(await this.close(false, "The lab is being ended…"))) return;
    sessionStorage.setItem(FRESH, "yes");
    location.reload();
  }

  /** Ends the session; whether it could be. */
  async close(keep, words) {
    this.ended(words);
    try {
      await this.session.close(keep);
      return true;
    } catch (error) {
      this.notice(error.message, error.hint);
      return false;
    }
  }

  async present() {
    const { link: address } = await get("present");
    await tell("Link for the class", el("p", {}, "Whoever has it sees this lab and its terminals, and can change nothing. Answers and solutions are left out."), el("p", {}, el("code", {}, address)));
  }

  keys() {
    const rows = [["F6, Shift+F6", "to the next pane, the one before: this leaves a terminal"], ["Ctrl+Shift+C, Ctrl+Shift+V", "copy and paste in a terminal (⌘C, ⌘V on a Mac)"], ["← → ↑ ↓", "move a divider that has the focus; go through the time line"], ["Enter", "opens a write of the time line, or sets a divider back"], ["Esc", "from an object back to the list"]];
    tell("Keys", el("table", { class: "keys-table" }, el("tbody", {}, rows.map(([keys, what]) => el("tr", {}, el("th", { scope: "row" }, el("kbd", {}, keys)), el("td", {}, what))))));
  }

  print() { handout(this.session, this.page).catch(complain); }
}

async function form(asks) {
  const fields = asks.map((one) => el("label", { class: "field" }, el("span", {}, one.question ?? one.name),
    el("input", { name: one.name, value: one.default ?? "", pattern: one.pattern, required: true, type: one.secret ? "password" : "text", autocomplete: "off", spellcheck: "false" })));
  const inputs = () => Object.fromEntries(fields.map((field) => [field.querySelector("input").name, field.querySelector("input").value]));
  const choice = await ask("Before the lab begins", el("div", {}, fields), [["", "Back"], ["yes", "Begin", "primary"]]);
  return choice === "yes" ? inputs() : null;
}

async function open(lab) {
  const { labs, present } = await get("course");
  const known = labs.find(({ id }) => id === lab);
  if (!known) throw Object.assign(new Error(`There is no lab “${lab}” here.`), { hint: "The course page lists them." });
  if (known.errors?.length) throw Object.assign(new Error(`“${known.title}” cannot be opened.`), { hint: known.errors.join("\n") });
  if (present) {
    if (!known.session) throw Object.assign(new Error("This lab is not open just now."), { hint: "It can be looked at while the one who presents it has it open." });
    return new Session(known.session);
  }
  const fresh = sessionStorage.getItem(FRESH) !== null;
  sessionStorage.removeItem(FRESH);
  const asks = known.session || (known.state !== "new" && !fresh) ? [] : known.asks ?? [];
  const vars = asks.length ? await form(asks) : {};
  if (!vars) { location.assign(link("./")); return null; }
  const { session } = await post("open", { lab, vars, ...(fresh && { fresh }) });
  return new Session(session);
}

async function start() {
  $("home").href = link("./");
  menu();
  if (!secret) throw Object.assign(new Error("This page needs its secret."), { hint: "Open the link that keywitness serve has printed: its part after # is the secret." });
  const parameters = new URLSearchParams(location.search);
  const session = await open(parameters.get("lab"));
  if (!session) return;
  for (;;) {
    const page = await session.fetchPage();
    if (page.failed) throw Object.assign(new Error(page.failed.reason), { hint: page.failed.hint });
    if (page.ended) throw Object.assign(new Error("The lab has ended."), { hint: "The course page opens it again." });
    if (!page.starting) { new Lab(session).begin(page); return; }
    const { stage, seconds } = page.starting;
    $("start").firstElementChild.textContent = `${stage}${seconds > 2 ? ` (${Math.round(seconds)} s)` : ""}…`;
    await wait(150);
  }
}

start().catch((error) => {
  if (!("status" in error) && !error.hint) console.error(error);
  $("start").replaceChildren(el("div", { class: "notice", role: "alert" }, el("h1", {}, error.message), error.hint ? el("p", {}, error.hint) : null, el("p", {}, el("a", { class: "button", href: link("./") }, "All labs"))));
});
