// What needs no browser: which keys a pattern means, which command caused which writes, and where they stand.

import assert from "node:assert/strict";

const assets = `file://${process.env.KEYWITNESS_ASSETS}/`;
const { isBreak, kindOf, matcher, verb } = await import(`${assets}keys.mjs`);
const { layout, onlyReads } = await import(`${assets}timeline-layout.mjs`);

for (const [glob, key, means] of [
  ["", "/registry/pods/a/b", true],
  ["pods", "/registry/pods/a/b", true],
  ["/registry/pods/*", "/registry/pods/a/b", false],
  ["/registry/pods/**", "/registry/pods/a/b", true],
  ["/registry/pods/*/b", "/registry/pods/a/b", true],
  ["/registry/*/a.c", "/registry/x/abc", false],
  ["/registry/pods/a/b*", "/registry/pods/a/bc", true],
  ["**/b", "/registry/pods/a/b", true],
  ["(*", "/registry/(x", false],
]) assert.equal(matcher(glob)(key), means, `${glob} and ${key}`);

assert.equal(verb({ type: "PUT", created: true }), "created");
assert.equal(verb({ type: "PUT", created: false }), "changed");
assert.equal(verb({ type: "DELETE" }), "deleted");
assert.ok(isBreak({ type: "EPOCH" }) && isBreak({ type: "GAP" }) && !isBreak({ type: "PUT" }));
assert.equal(kindOf("/registry/pods/default/web"), "pods");
assert.equal(kindOf("/registry/stable.example.com/crontabs/default/x"), "crontabs");
assert.equal(kindOf("/registry/services/specs/default/web"), "services");
assert.equal(kindOf("/registry/services/endpoints/default/web"), "endpoints");
assert.equal(kindOf("/other/key"), "other");

for (const text of ["kubectl get pods -A", "kubectl -n demo get pods | grep web", "clear; kubectl -n demo rollout status deployment web", "etcdctl get / --prefix --keys-only | grep -c x",
  "kubectl -n kube-system wait pods -l tier=control-plane --for=condition=Ready\nkubectl get nodes", "KUBECONFIG=x kubectl version"]) assert.ok(onlyReads(text), text);
for (const text of ["kubectl -n demo create deployment web", "kubectl rollout restart deployment web", "etcdctl put a b", "for i in 1 2; do kubectl delete pod $i; done", "./script", "kubectl get pods && kubectl delete pod a", "kubectl label namespace get purpose=x"]) {
  assert.ok(!onlyReads(text), text);
}

const at = (milliseconds) => new Date(1_800_000_000_000 + milliseconds).toISOString();
let seq = 0;
const write = (time, by, more = {}) => ({ seq: (seq += 1), revision: seq, type: "PUT", key: "/registry/pods/a/b", at: at(time), time: Date.parse(at(time)), by, ...more });
const command = (text, began, ended, terminal = "main") => ({ terminal, text, status: 0, began: at(began), ended: ended === null ? null : at(ended) });
const laid = layout({
  commands: [command("kubectl create deployment web", 1000, 1200), command("kubectl rollout status deployment web", 1300, 3000), command("etcdctl watch /", 500, null, "2"), command("kubectl delete pod b", 60_000, 60_200)],
  changes: [write(100, "kubelet"), write(1100, "kubectl-create"), write(1150, "kube-controller-manager"), write(2000, "kubelet"), write(59_000, "kubelet"), write(60_100, null, { type: "DELETE" }), write(60_150, "kube-controller-manager", { noise: true })],
  marks: [{ step: "s", check: 1, standing: "holds", at: at(1160), revision: 2 }],
}, 1);
const cause = (revision) => laid.writes.find(({ change }) => change.revision === revision).run?.text;
assert.equal(cause(1), undefined, "before every command");
assert.equal(cause(2), "kubectl create deployment web");
assert.equal(cause(3), "kubectl create deployment web", "a controller's write while it ran");
assert.equal(cause(4), "kubectl create deployment web", "what followed is not the doing of a command that only reads");
assert.equal(cause(5), undefined, "too late");
assert.equal(cause(6), "kubectl delete pod b");
assert.equal(cause(7), undefined, "nobody's: a background write");
assert.equal(laid.judged[0].source.change.revision, 2);
const order = [...laid.writes].sort((a, b) => a.x - b.x).map(({ change }) => change.revision);
assert.deepEqual(order, [1, 2, 3, 4, 5, 6, 7], "from left to right as they came");
for (let index = 1; index < laid.writes.length; index += 1) assert.ok(laid.writes[index].x - laid.writes[index - 1].x >= 10, "each is seen beside the other");
assert.ok(laid.breaks.some(({ gap }) => gap > 50_000), "a pause of a minute is folded");
assert.ok(laid.width < 1500);
