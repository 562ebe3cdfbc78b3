// The session as the page knows it: its answers, and what it tells.

import { get, listen, post, query } from "./api.mjs";
import { confirm, say } from "./dialog.mjs";

export class Session extends EventTarget {
  constructor(id) {
    super();
    this.id = id;
    /** Aborted when the session is over for this page: a request after that would only hear that it is gone. */
    this.left = new AbortController();
  }

  path(rest) { return `sessions/${encodeURIComponent(this.id)}/${rest}`; }

  fetchPage(step) { return get(this.path(step ? `page?${query({ step })}` : "page"), { signal: this.left.signal }); }

  /** The answer; null where it was refused or not wanted after all, which the learner has been event. */
  async ask(request, words = {}) {
    const send = (request) => post(this.path("ask"), request);
    let answer = await send(request);
    if (answer.answer === "ask_again") {
      if (!(await this.sure(answer.reason, words))) return null;
      answer = await send({ request: "agree", number: answer.number });
    }
    if (answer.answer === "refused") {
      say(answer.reason, { kind: "cannot_judge", hint: answer.hint });
      return null;
    }
    return answer;
  }

  sure(reason, { title, go }) { return confirm(title ?? "Are you sure?", reason, go ?? "Go on"); }

  emit(type, detail) { this.dispatchEvent(new CustomEvent(type, { detail })); }
  on(type, listener) { this.addEventListener(type, ({ detail }) => listener(detail)); }

  listen() {
    let lost = false;
    listen(this.path("events"), {
      signal: this.left.signal,
      event: (event) => {
        if (event.event === "ended") this.left.abort();
        this.emit("event", event);
      },
      // What came about between the page and its stream reached nobody.
      up: () => { this.emit(lost ? "again" : "stale"); lost = false; this.emit("link", true); },
      down: (error, ended) => { lost = true; this.emit("link", false); if (ended) this.emit("gone", error); },
    });
  }

  /** Ends the session, with its state kept or not; nothing more is asked of it. */
  async close(keep) {
    this.left.abort();
    await post(this.path("close"), { keep });
  }
}
