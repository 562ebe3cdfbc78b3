// What etcd has witnessed since the session began, kept once for the list and for the time line.

import { listen, query } from "./api.mjs";

const KEPT = 5000;

export class Changes extends EventTarget {
  constructor(session) {
    super();
    this.all = [];
    this.dropped = 0;
    this.session = session;
  }

  listen() {
    listen(this.session.path(`changes?${query({ noise: 1 })}`), { signal: this.session.left.signal, event: (change) => this.add(change) });
  }

  add(change) {
    if (this.last !== undefined && change.seq <= this.last) return;
    this.last = change.seq;
    change.time = Date.parse(change.at);
    this.all.push(change);
    if (this.all.length > KEPT) { this.all.shift(); this.dropped += 1; }
    this.dispatchEvent(new CustomEvent("change", { detail: change }));
  }
}
