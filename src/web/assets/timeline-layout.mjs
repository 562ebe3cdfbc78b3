// Where everything of the time line stands. A step in time is drawn by the logarithm of its length, so that a write 2 ms after
// another is seen beside it, and a pause of minutes takes no room; the clock's times stand above.

import { kindOf, verb } from "./keys.mjs";

export const SIZES = { top: 22, command: 37, rain: 16, lane: 22, checks: 30, foot: 6 };
const PAUSE = 5000;
/** A command's writes by others end with the next command, or here. */
const FOLLOWS = 30000;
const LANES = 6;
const MOST_LANES = 14;

const advance = (gap, zoom) => Math.max(11, Math.min(84, 7 + 10 * Math.log2(1 + gap / 40)) * zoom);

/** Who writes only because somebody else wrote before. */
const CONTROLLERS = /^(kube-(controller-manager|scheduler|apiserver)|kubelet|[a-z-]+-controller|kind|local-path-provisioner)/;
const READS = {
  kubectl: /^(get|describe|logs|explain|api-resources|api-versions|wait|top|version|config|diff|auth|cluster-info|events|rollout (status|history))\b/,
  etcdctl: /^(get|watch|endpoint|version|check|snapshot status|member list|alarm list|lease (list|timetolive))\b/,
};

/** A command that writes nothing, as far as its words tell: what happens while it runs is not its doing. */
export function onlyReads(text) {
  return text.replace(/\\\n/g, " ").split(/[;|&\n]+/).map((part) => part.trim()).filter(Boolean).every((part) => {
    const [program, ...rest] = part.split(/\s+/).filter((word) => !/^\w+=/.test(word));
    const words = [];
    for (let at = 0; at < rest.length; at += 1) {
      if (/^(-n|-l|-c|--namespace|--context|--kubeconfig|--endpoints)$/.test(rest[at])) at += 1;
      else if (!rest[at].startsWith("-")) words.push(rest[at]);
    }
    if (READS[program]) return READS[program].test(words.join(" "));
    return /^(clear|ls|cat|echo|printf|grep|egrep|jq|yq|less|more|head|tail|man|history|which|type|cd|pwd|export|env|lab|sleep|wc|od|xxd|sort|uniq|cut|awk|true|command|keywitness)$/.test(program ?? "");
  });
}

/** Gives each write to the command that caused it: its own to the one that ran, a controller's to the last one that had written. */
function attribute(writes, runs) {
  let wrote = null;
  for (const write of writes) {
    const { change, time } = write;
    if (change.noise) continue;
    const running = runs.findLast((run) => run.time <= time && time <= (run.end ?? Infinity) && !run.reads);
    const byHand = !CONTROLLERS.test(change.by ?? "");
    const follows = wrote && time <= Math.max(wrote.end ?? wrote.time, wrote.last) + FOLLOWS;
    write.run = byHand && running ? running : follows ? wrote : undefined;
    write.during = Boolean(write.run) && time <= (write.run.end ?? Infinity);
    if (!write.run) continue;
    write.run.writes.push(write);
    write.run.last = time;
    if (byHand && running) wrote = running;
  }
}

export function layout({ commands, changes, marks }, zoom, room = Infinity, least = 14) {
  const runs = commands.map((command) => ({ ...command, time: Date.parse(command.began), end: command.ended ? Date.parse(command.ended) : null, reads: onlyReads(command.text), writes: [] })).sort((a, b) => a.time - b.time);
  // One that outlives the next command of another terminal keeps running: what happens meanwhile is not its doing.
  runs.forEach((run, index) => { run.long = runs.some((next, at) => at > index && next.terminal !== run.terminal && (run.end === null || next.time < run.end)); });
  const writes = changes.map((change) => ({ change, time: change.time, verb: verb(change), kind: kindOf(change.key) }));
  const judged = marks.map((mark) => ({ mark, time: Date.parse(mark.at) }));
  const moments = [
    ...runs.map((run) => ({ time: run.time, order: 0, run })),
    ...writes.map((write) => ({ time: write.time, order: 1, write })),
    ...judged.map((judge) => ({ time: judge.time, order: 2, judge })),
    ...runs.filter((run) => run.end !== null).map((run) => ({ time: run.end, order: 3, ended: run })),
  ].sort((a, b) => a.time - b.time || a.order - b.order || (a.write?.change.revision ?? 0) - (b.write?.change.revision ?? 0));

  let x = 26;
  let before = null;
  const lastOf = new Map();
  const breaks = [];
  const ticks = [];
  for (const moment of moments) {
    const gap = before === null ? 0 : moment.time - before;
    const from = x;
    if (before !== null) x += gap > PAUSE ? 64 : advance(gap, zoom);
    // A command's words need room before the next one's.
    if (moment.run) x = Math.max(x, (lastOf.get(moment.run.terminal) ?? -Infinity) + 150 * Math.max(0.6, zoom));
    if (gap > PAUSE) breaks.push({ x: (from + x) / 2, gap });
    if (moment.run) lastOf.set(moment.run.terminal, x);
    if (before === null || gap > PAUSE || (moment.run && x - (ticks.at(-1)?.x ?? -Infinity) > 90)) ticks.push({ x, time: moment.time });
    moment.x = x;
    before = moment.time;
  }
  for (const { x: at, run, ended, write, judge } of moments) {
    if (run) run.x = at;
    if (ended) ended.endX = at;
    if (write) write.x = at;
    if (judge) judge.x = at;
  }
  const width = x + 40;

  const terminals = [...new Set(runs.map((run) => run.terminal))];
  const counts = new Map();
  for (const { kind } of writes) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  const kinds = [...counts.keys()];
  const top = SIZES.top;
  const others = top + Math.max(1, terminals.length) * SIZES.command + SIZES.rain + SIZES.checks + SIZES.foot;
  // The kinds with the most writes have lanes of their own.
  const lanes = Math.max(LANES, Math.min(MOST_LANES, Math.floor((room - others) / least)));
  const most = new Set([...kinds].sort((a, b) => counts.get(b) - counts.get(a)).slice(0, lanes - 1));
  const own = kinds.length > lanes ? [...kinds.filter((kind) => most.has(kind)), "others"] : kinds;
  const lane = Math.max(least, Math.min(SIZES.lane, (room - others) / Math.max(1, own.length)));
  terminals.forEach((terminal, index) => { for (const run of runs) if (run.terminal === terminal) run.y = top + index * SIZES.command; });
  const rain = top + Math.max(1, terminals.length) * SIZES.command;
  const events = rain + SIZES.rain;
  for (const write of writes) write.y = events + (own.includes(write.kind) ? own.indexOf(write.kind) : own.length - 1) * lane + lane / 2;
  const checks = events + Math.max(1, own.length) * lane;
  for (const judge of judged) {
    judge.y = checks + SIZES.checks / 2;
    judge.source = judge.mark.revision ? writes.find(({ change }) => change.revision === judge.mark.revision) : undefined;
  }
  for (const run of runs) run.endX ??= Math.max(run.x + 60, width - 14);
  attribute(writes, runs);
  return { runs, writes, judged, breaks, ticks, terminals, kinds: own, width, height: checks + SIZES.checks + SIZES.foot, rain, events, checks, lane };
}
