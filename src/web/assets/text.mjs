// The step's text: the server's HTML, and what one can do with its blocks, checks and questions.

import { blob, post, query } from "./api.mjs";
import { complain, say } from "./dialog.mjs";
import { $, button, copy, el, icon, markup, plural } from "./dom.mjs";

export const WORDS = { waiting: "waiting", not_yet: "not yet", holds: "holds", broken: "broken", cannot_judge: "cannot be judged" };
/** What turns while a step is read: it is set on what is drawn already. */
const STANDING = / data-(standing|done|right|attempts)(="[^"]*")?/g;
const SIGNS = { PUT: "written", DELETE: "deleted" };

/** `acts`: {run(typed), open(evidence), hint(), look(id)}. */
export class Text {
  constructor(session, acts) {
    this.session = session;
    this.acts = acts;
    this.pictures = new Map();
    this.shown = null;
  }

  /** The page's data anew: the text is drawn again only where it differs, so that an answer half written stays. */
  show(page, readOnly) {
    const { step, view, intro_html: intro } = page;
    const drawn = JSON.stringify([step.number, step.html.replace(STANDING, ""), step.number === 1 ? intro : "", readOnly]);
    const other = this.shown?.number !== step.number;
    if (this.shown?.drawn !== drawn) this.draw(page, readOnly);
    this.shown = { drawn, number: step.number };
    if (view.step.number === step.number) {
      for (const check of view.step.checks) this.check(check);
      for (const question of view.step.questions) this.question(question);
      for (const block of view.step.blocks) this.block(block);
    }
    if (other) $("text").scrollTop = 0;
  }

  draw({ step, view, intro_html: intro }, readOnly) {
    const kept = new Map([...$("page").querySelectorAll(".question input[type=text]")].map((input) => [input.closest(".question").dataset.question, input.value]));
    const chosen = new Set([...$("page").querySelectorAll(".question input:checked")].map((input) => `${input.name} ${input.value}`));
    const article = el("article", { class: "step" });
    if (step.number === 1 && intro) article.append(el("div", { class: "intro" }, markup(intro)));
    const body = el("div", {}, markup(step.html));
    // The server's HTML may begin with the step's own heading.
    const own = body.querySelector("h1, h2");
    if (own && own.textContent.trim() === step.title.trim() && own === body.firstElementChild) own.remove();
    article.append(el("header", { class: "step-head" }, el("p", { class: "step-place" }, `Step ${step.number} of ${view.of}`), el("h2", { id: "step-title" }, step.title)), body);
    this.readOnly = readOnly;
    for (const figure of article.querySelectorAll("figure.block")) this.prepareBlock(figure, view);
    for (const table of article.querySelectorAll(".table")) for (const [name, value] of [["role", "group"], ["aria-label", "Table"]]) table.setAttribute(name, value);
    // The address's fragment is the secret's place.
    article.addEventListener("click", (event) => {
      const within = event.target.closest('a[href^="#"]');
      if (!within) return;
      event.preventDefault();
      if (within.dataset.step) this.acts.look(within.dataset.step);
      else article.querySelector(`[id="${CSS.escape(within.getAttribute("href").slice(1))}"]`)?.scrollIntoView();
    });
    for (const pre of article.querySelectorAll("pre")) pre.tabIndex = 0;
    for (const check of article.querySelectorAll(".check")) this.prepareCheck(check);
    for (const question of article.querySelectorAll(".question")) this.prepareQuestion(question, kept);
    for (const image of article.querySelectorAll("img[data-picture]")) this.picture(image);
    // A hint that was not given has no content yet: it is asked for by opening it.
    for (const hint of article.querySelectorAll("details.hint:not([data-given])")) {
      if (readOnly) hint.remove();
      hint.querySelector("summary").addEventListener("click", (event) => { event.preventDefault(); this.acts.hint(); });
    }
    // An answer that is not shown yet has no content, and nothing to ask for.
    for (const answer of article.querySelectorAll("details.answer:not([open])")) answer.remove();
    if (this.shown?.number === step.number) for (const input of article.querySelectorAll(".question input[type=radio]")) input.checked = chosen.has(`${input.name} ${input.value}`);
    $("page").replaceChildren(article);
  }

  prepareBlock(figure, view) {
    const id = figure.dataset.block;
    const code = figure.querySelector("code") ?? figure;
    const acts = el("div", { class: "block-acts" });
    if (id && !this.readOnly) acts.append(button("Run", { class: "small run", "aria-label": `Run block ${id}`, onclick: (event) => this.run(id, figure, event.currentTarget) }, icon("run")));
    acts.append(button("Copy", { class: "small plain", "aria-label": id ? `Copy block ${id}` : "Copy", onclick: (event) => this.copy(code.textContent.replace(/\n$/, ""), event.currentTarget) }, icon("copy")));
    const names = [];
    if (figure.dataset.terminal && figure.dataset.terminal !== "1") names.push(`terminal ${figure.dataset.terminal}`);
    if (figure.hasAttribute("data-background")) names.push("keeps running");
    if (figure.hasAttribute("data-on-node")) names.push("on the node");
    if (figure.dataset.role === "cleanup") names.push("clean-up at the end");
    const left = view.step.blocks.find((block) => block.id === id)?.left;
    if (left) names.push(`not here: ${left}`);
    figure.append(el("figcaption", {}, el("span", { class: "block-names" }, names.join(" · ")), el("span", { class: "block-done", hidden: true }, icon("done"), "done"), acts));
  }

  async copy(text, at) {
    try {
      await copy(text);
      at.lastChild.textContent = "Copied";
      setTimeout(() => { at.lastChild.textContent = "Copy"; }, 2000);
    } catch (error) { complain(error); }
  }

  async run(id, figure, at) {
    at.disabled = true;
    try {
      const { typed, answer } = await post(this.session.path("run"), { block: id });
      if (typed) {
        this.acts.run(typed);
        if (typed.waits) say("A command still runs in that terminal: the block comes after it.");
      } else if (answer?.answer === "refused") {
        say(answer.reason, { kind: "cannot_judge", hint: answer.hint });
      } else if (answer?.answer === "ran") {
        say(answer.passed ? "The block ran." : `The block failed: ${answer.reason ?? "see its output"}`, { kind: answer.passed ? "holds" : "broken" });
        this.output(figure, answer);
      }
      this.session.emit("stale");
    } catch (error) { complain(error); }
    at.disabled = false;
  }

  /** Of a block that the session ran itself. */
  output(figure, { output, cut }) {
    figure.querySelector(".block-output")?.remove();
    if (output) figure.append(el("pre", { class: "block-output", tabindex: 0, "aria-label": "What it printed" }, cut ? "[…]\n" : "", output));
  }

  block({ id, done }) {
    for (const figure of $("page").querySelectorAll(`figure.block[data-block="${CSS.escape(id)}"]`)) figure.querySelector(".block-done").hidden = !done;
  }

  prepareCheck(check) {
    const said = el("div", { class: "check-text" }, ...check.childNodes);
    check.replaceChildren(el("span", { class: "check-mark" }, icon("waiting")), said, el("span", { class: "check-word" }, WORDS.waiting), el("div", { class: "check-more" }));
    check.dataset.standing = "waiting";
  }

  /** A CheckView, from the page's data or from an event. */
  check(view) {
    const check = $("page").querySelector(`.check[data-check="${view.number}"]`);
    if (!check?.querySelector(".check-mark")) return;
    const standing = view.left ? "skipped" : view.standing;
    const turned = check.dataset.standing !== standing;
    check.dataset.standing = standing;
    check.querySelector(".check-mark").replaceChildren(icon(standing));
    check.querySelector(".check-word").textContent = view.left ? "not here" : WORDS[standing];
    if (turned && standing === "holds") { check.classList.remove("just"); void check.offsetWidth; check.classList.add("just"); }
    const more = check.querySelector(".check-more");
    const open = more.querySelector(".why-text");
    const parts = [];
    const reason = view.left ?? (standing === "holds" ? null : view.reason);
    if (reason) parts.push(el("p", { class: "check-reason" }, reason));
    const evidence = (view.evidence ?? []).slice(0, 4);
    if (evidence.length) {
      parts.push(el("p", { class: "evidence" }, standing === "holds" ? "Seen by etcd: " : "Last seen: ", evidence.map((one) =>
        button("", { class: "link", onclick: () => this.acts.open(one) }, `revision ${one.revision}`, el("span", { class: "key" }, ` ${SIGNS[one.type] ?? one.type} ${one.key}`)))));
    }
    if (!this.readOnly && !["holds", "waiting", "skipped"].includes(standing)) parts.push(button("Why?", { class: "small", "aria-expanded": String(Boolean(open && !turned)), onclick: (event) => this.why(view.number, more, event.currentTarget) }));
    if (open && !turned && standing !== "holds") parts.push(open);
    more.replaceChildren(...parts);
  }

  async why(number, more, at) {
    const open = more.querySelector(".why-text");
    if (open) { open.remove(); at.setAttribute("aria-expanded", "false"); return; }
    try {
      const answer = await this.session.ask({ request: "why" });
      if (!answer) return;
      const why = answer.checks.find(({ check }) => check.number === number);
      at.setAttribute("aria-expanded", "true");
      more.append(el("div", { class: "why-text" },
        why?.check.fail ? el("p", { class: "why-fail" }, why.check.fail) : null,
        why?.explanation.length ? el("pre", { tabindex: 0 }, why.explanation.join("\n")) : null,
        why?.causes.length ? [el("p", {}, "Often the cause:"), el("ul", {}, why.causes.map((cause) => el("li", {}, cause)))] : null,
        why ? null : el("p", {}, "It holds by now, or waits for what comes before it."),
        answer.notes.map((note) => el("p", { class: "hint-text" }, note))));
    } catch (error) { complain(error); }
  }

  prepareQuestion(question, kept) {
    const id = question.dataset.question;
    for (const input of question.querySelectorAll("input")) {
      if (input.type === "text") { input.value = kept.get(id) ?? ""; input.autocapitalize = "off"; input.spellcheck = false; input.autocomplete = "off"; }
      if (this.readOnly) input.disabled = true;
    }
    const said = el("p", { class: "question-said", role: "status" });
    question.append(el("div", { class: "question-acts" },
      this.readOnly ? null : button("Answer", { class: "small", onclick: () => this.answer(id, question) }), said));
    question.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && event.target.matches("input")) { event.preventDefault(); this.answer(id, question); }
    });
  }

  async answer(id, question) {
    const field = question.querySelector("input[type=text]") ?? question.querySelector("input:checked");
    const said = question.querySelector(".question-said");
    if (!field?.value.trim()) { said.textContent = field ? "Write your answer first." : "Choose an answer first."; return; }
    try {
      const answer = await this.session.ask({ request: "answer", question: id, text: field.value });
      if (!answer) return;
      question.dataset.answered = answer.right ? "right" : "wrong";
      said.replaceChildren(icon(answer.right ? "holds" : "broken"), el("span", {}, answer.words));
      this.session.emit("stale");
    } catch (error) { complain(error); }
  }

  question(view) {
    const question = $("page").querySelector(`.question[data-question="${CSS.escape(view.id)}"]`);
    if (!question?.querySelector(".question-said")) return;
    if (view.right) {
      question.dataset.answered = "right";
      for (const input of question.querySelectorAll("input, .question-acts button")) input.disabled = true;
      const said = question.querySelector(".question-said");
      if (!said.textContent) said.replaceChildren(icon("holds"), el("span", {}, `Right, after ${plural(view.attempts, "answer")}.`));
    } else if (view.attempts && !question.dataset.answered) {
      // Drawn anew with the answer below it.
      question.dataset.answered = "wrong";
      question.querySelector(".question-said").replaceChildren(icon("broken"), el("span", {}, "Not right yet."));
    } else if (view.left) {
      question.querySelector(".question-said").textContent = `Not asked here: ${view.left}`;
    }
  }

  async picture(image) {
    const path = image.dataset.picture;
    try {
      if (!this.pictures.has(path)) this.pictures.set(path, blob(this.session.path(`picture?${query({ path })}`)).then((data) => URL.createObjectURL(data)));
      image.src = await this.pictures.get(path);
    } catch {
      this.pictures.delete(path);
      image.replaceWith(el("span", { class: "no-picture" }, `[picture: ${image.alt || path}]`));
    }
  }

  /** Brings a check before the reader's eyes. */
  find(number) {
    const check = $("page").querySelector(`.check[data-check="${number}"]`);
    if (!check) { say(`Check ${number} stands in another step.`); return; }
    check.tabIndex = -1;
    check.scrollIntoView({ block: "center" });
    check.focus();
  }
}
