// The session as the page knows it: its answers, and what it tells.

import { get, listen, post, query } from "./api.mjs";
import { confirm, say } from "./dialog.mjs";

export class Session extends EventTarget {
  constructor(id) {
    super();
    this.id = id;
    this.page = null;
  }

  path(rest) { return `sessions/${encodeURIComponent(this.id)}/${rest}`; }

  fetchPage(step) { return get(this.path(step ? `page?${query({ step })}` : "page")); }

  /** The answer; null where it was refused or not wanted after all, which the learner has been told. */
  async ask(request, { title, go } = {}) {
    const send = () => post(this.path("ask"), request);
    let answer = await send();
    if (answer.answer === "ask_again") {
      if (!(await confirm(title ?? "Are you sure?", answer.reason, go ?? "Go on"))) return null;
      answer = await send();
    }
    if (answer.answer === "ask_again") return null;
    if (answer.answer === "refused") {
      say(answer.reason, { kind: "cannot_judge", hint: answer.hint });
      return null;
    }
    return answer;
  }

  emit(type, detail) { this.dispatchEvent(new CustomEvent(type, { detail })); }
  on(type, listener) { this.addEventListener(type, ({ detail }) => listener(detail)); }

  listen() {
    let lost = false;
    listen(this.path("events"), {
      event: (told) => this.emit("told", told),
      up: () => { if (lost) this.emit("again"); lost = false; this.emit("link", true); },
      down: (error, ended) => { lost = true; this.emit("link", false); if (ended) this.emit("gone", error); },
    });
  }
}
