// Where everything of the time line stands. A step in time is drawn by the logarithm of its length, so that a write 2 ms after
// another is seen beside it, and a pause of minutes takes no room; the clock's times stand above.

import { verb } from "./changes.mjs";

export const SIZES = { top: 22, command: 37, rain: 16, lane: [14, 22], checks: 30, foot: 6 };
const PAUSE = 5000;
/** A command's writes by others end with the next command, or here. */
const FOLLOWS = 30000;
const LANES = 7;

const advance = (gap, zoom) => Math.max(11, Math.min(84, 7 + 10 * Math.log2(1 + gap / 40)) * zoom);

export function kindOf(key) {
  const parts = key.split("/").filter(Boolean);
  if (parts[0] !== "registry") return parts[0] ?? key;
  // /registry/GROUP.with.dots/KIND/… of custom resources and some built-in ones.
  return (parts[1]?.includes(".") ? parts[2] : parts[1]) ?? parts[0];
}

/** The command that a write belongs to, and whether it fell while the command ran. */
function owner(change, commands) {
  let latest = null;
  for (const command of commands) {
    if (command.time > change.time) break;
    latest = command;
    if (change.time <= (command.end ?? Infinity) && !command.long) return { command, during: true };
  }
  if (!latest || change.time > (latest.end ?? latest.time) + FOLLOWS) return null;
  return { command: latest, during: change.time <= (latest.end ?? Infinity) };
}

export function layout({ commands, changes, marks }, zoom, room = Infinity) {
  const runs = commands.map((command) => ({ ...command, time: Date.parse(command.began), end: command.ended ? Date.parse(command.ended) : null })).sort((a, b) => a.time - b.time);
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
  const own = kinds.length > LANES ? [...kinds.slice(0, LANES - 1), "others"] : kinds;
  const top = SIZES.top;
  const others = top + Math.max(1, terminals.length) * SIZES.command + SIZES.rain + SIZES.checks + SIZES.foot;
  const lane = Math.max(SIZES.lane[0], Math.min(SIZES.lane[1], (room - others) / Math.max(1, own.length)));
  terminals.forEach((terminal, index) => { for (const run of runs) if (run.terminal === terminal) run.y = top + index * SIZES.command; });
  const rain = top + Math.max(1, terminals.length) * SIZES.command;
  const events = rain + SIZES.rain;
  for (const write of writes) write.y = events + (own.includes(write.kind) ? own.indexOf(write.kind) : own.length - 1) * lane + lane / 2;
  const checks = events + Math.max(1, own.length) * lane;
  for (const judge of judged) {
    judge.y = checks + SIZES.checks / 2;
    judge.source = judge.mark.revision ? writes.find(({ change }) => change.revision === judge.mark.revision) : undefined;
  }
  for (const run of runs) { run.writes = []; run.endX ??= Math.max(run.x + 60, width - 14); }
  for (const write of writes) {
    if (write.change.noise) continue;
    const found = owner(write, runs);
    if (!found) continue;
    Object.assign(write, { run: found.command, during: found.during });
    found.command.writes.push(write);
  }
  return { runs, writes, judged, breaks, ticks, terminals, kinds: own, width, height: checks + SIZES.checks + SIZES.foot, rain, events, checks, lane };
}
