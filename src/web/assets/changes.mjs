// What etcd has witnessed since the session began, kept once for the list and for the time line.

import { listen, query } from "./api.mjs";

const KEPT = 5000;

/** The lab format's glob: `*` within a segment, `**` across; without a star, a part of the key. */
export function matcher(glob) {
  const text = glob.trim();
  if (!text) return () => true;
  if (!text.includes("*")) return (key) => key.includes(text);
  const pattern = text.split("**").map((part) => part.split("*").map((plain) => plain.replace(/[.+?^${}()|[\]\\]/g, "\\$&")).join("[^/]*")).join(".*");
  const expression = new RegExp(`^${pattern}$`);
  return (key) => expression.test(key);
}

/** No write: the watch missed something, or the cluster went back and its revisions begin anew. */
export const isBreak = (change) => change.type === "GAP" || change.type === "EPOCH";

export const verb = (change) => (change.type === "DELETE" ? "deleted" : change.created ? "created" : "changed");

export class Changes extends EventTarget {
  constructor(session) {
    super();
    this.all = [];
    this.dropped = 0;
    this.session = session;
  }

  listen() {
    listen(this.session.path(`changes?${query({ noise: 1 })}`), { event: (change) => this.add(change) });
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
