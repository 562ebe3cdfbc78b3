// The course page: the labs in the order of their needs, and where the learner left off.

import { get, link, query, secret } from "./api.mjs";
import { $, el, icon, plural } from "./dom.mjs";
import { menu } from "./settings.mjs";

const STATES = { new: "Not begun", started: "Begun", finished: "Finished" };

const address = (lab) => link(`./lab?${query({ lab: lab.id })}`);

function progress(lab) {
  const done = lab.state === "finished" ? lab.of : Math.max(0, (lab.step ?? 1) - 1);
  const share = lab.of ? done / lab.of : 0;
  const words = lab.state === "new" ? plural(lab.of, "step") : lab.state === "finished" ? `all ${plural(lab.of, "step")}` : `step ${lab.step} of ${lab.of}`;
  const fill = el("span", { class: "meter-fill" });
  fill.style.setProperty("--share", String(share));
  return el("div", { class: "lab-progress" },
    el("span", { class: "meter", "aria-hidden": "true" }, fill),
    el("span", {}, words),
    lab.max_points ? el("span", { class: "lab-points" }, `${lab.points} of ${plural(lab.max_points, "point")}`) : null);
}

function needs(lab) {
  const open = (lab.needs ?? []).filter((need) => !need.met);
  if (!open.length) return null;
  const names = open.map((need, index) => [index ? ", " : "", el("a", { href: link(`./lab?${query({ lab: need.id })}`) }, need.title ?? need.id)]);
  return el("p", { class: "needs" }, icon("cannot_judge"), el("span", {}, "Builds on ", names, ", which you have not finished. You can begin all the same."));
}

function card(lab, index, here, present) {
  const action = present ? "Look on" : { new: "Begin", started: "Go on", finished: "Look again" }[lab.state] ?? "Open";
  // Who only looks on opens nothing.
  const broken = lab.errors?.length > 0 || (present && !lab.session);
  const facts = [lab.level, lab.minutes ? `${lab.minutes} min` : null, lab.running ? "open now" : null].filter(Boolean);
  return el("li", { class: `lab-card${here ? " here" : ""}`, "data-state": lab.state },
    el("span", { class: "lab-number", "aria-hidden": "true" }, lab.state === "finished" ? icon("done") : String(index + 1)),
    el("div", { class: "lab-body" },
      here ? el("p", { class: "lab-here" }, present ? "Open now" : "You left off here") : null,
      el("h2", {}, broken ? lab.title : el("a", { href: address(lab) }, lab.title)),
      lab.summary ? el("p", { class: "lab-summary" }, lab.summary) : null,
      el("p", { class: "lab-facts" }, el("span", { class: `state state-${lab.state}` }, STATES[lab.state] ?? lab.state), facts.map((fact) => el("span", {}, fact))),
      progress(lab),
      present ? null : needs(lab),
      lab.errors?.length ? el("div", { class: "lab-errors" }, el("p", {}, "This lab cannot be opened:"), el("ul", {}, lab.errors.map((error) => el("li", {}, el("code", {}, error))))) : null),
    broken ? null : el("a", { class: `button${here || lab.state === "started" ? " primary" : ""}`, href: address(lab), "aria-label": `${action}: ${lab.title}` }, action));
}

function show(course) {
  const { labs } = course;
  document.title = `${course.title} · keywitness`;
  document.documentElement.classList.toggle("present", Boolean(course.present));
  const begun = labs.filter((lab) => lab.state === "started" && !lab.errors?.length);
  const here = begun.find((lab) => lab.running) ?? begun.sort((a, b) => String(b.updated ?? "").localeCompare(String(a.updated ?? "")))[0];
  const [finished, points, of] = [labs.filter((lab) => lab.state === "finished").length, ...["points", "max_points"].map((name) => labs.reduce((sum, lab) => sum + (lab[name] ?? 0), 0))];
  const minutes = labs.reduce((sum, lab) => sum + (lab.minutes ?? 0), 0);
  $("labs").replaceChildren(
    el("div", { class: "course-head" },
      el("h1", {}, course.title),
      el("p", { class: "course-facts" }, [`${finished} of ${plural(labs.length, "lab")} finished`, of ? `${points} of ${of} points` : null, minutes ? `about ${plural(minutes, "minute")} in all` : null].filter(Boolean).map((fact) => el("span", {}, fact)))),
    labs.length
      ? el("ol", { class: "lab-list" }, labs.map((lab, index) => card(lab, index, lab === here, course.present)))
      : el("p", { class: "empty" }, "There is no lab in this folder. A lab is a folder with a README.md that begins with a title: keywitness lint says what is missing."));
}

async function start() {
  menu();
  if (!secret) throw Object.assign(new Error("This page needs its secret."), { hint: "Open the link that keywitness serve has printed: its part after # is the secret." });
  show(await get("course"));
}

start().catch((error) => {
  $("labs").replaceChildren(el("div", { class: "notice", role: "alert" }, el("h1", {}, error.message), error.hint ? el("p", {}, error.hint) : null));
});
