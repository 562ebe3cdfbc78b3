// Elements by script: texts are always texts, never markup.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const el = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
export const svg = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);
export const $ = (id) => document.getElementById(id);

// Shapes differ, so that no meaning hangs on a colour.
const SHAPES = {
  waiting: [["circle", { cx: 8, cy: 8, r: 6, "stroke-dasharray": "2.4 2.3" }]],
  not_yet: [["circle", { cx: 8, cy: 8, r: 6 }]],
  holds: [["circle", { cx: 8, cy: 8, r: 7, class: "full" }], ["path", { d: "m4.8 8.3 2.2 2.2 4.2-4.7", class: "cut" }]],
  broken: [["path", { d: "M5.2 1.200h5.600l4 4v5.600l-4 4H5.200l-4-4V5.200z", class: "full" }], ["path", { d: "m5.5 5.5 5 5m0-5-5 5", class: "cut" }]],
  cannot_judge: [["path", { d: "M8 1.5 15 14H1z" }], ["path", { d: "M8 6v3.500m0 2v.1" }]],
  done: [["path", { d: "m2.5 8.5 3.5 3.5 7.5-8" }]],
  skipped: [["path", { d: "M3 8h10" }]],
  run: [["path", { d: "M4.5 2.500v11l9-5.500z", class: "full" }]],
  copy: [["rect", { x: 5.5, y: 5.5, width: 8, height: 8.5, rx: 1.5 }], ["path", { d: "M10.5 3V2.500A1 1 0 0 0 9.5 1.500h-6a1 1 0 0 0-1 1v7a1 1 0 0 0 1 1H4" }]],
  menu: [["path", { d: "M2 4h12M2 8h12M2 12h12" }]],
  more: [["path", { d: "M8 3v10M3 8h10" }]],
  close: [["path", { d: "m4 4 8 8m0-8-8 8" }]],
  columns: [["rect", { x: 1.5, y: 2.5, width: 13, height: 11, rx: 1.5 }], ["path", { d: "M8 2.500v11" }]],
  full: [["path", { d: "M2 6V2h4m4 0h4v4m0 4v4h-4m-4 0H2v-4" }]],
  back: [["path", { d: "M9.5 3 4.5 8l5 5" }]],
};

export function icon(name) {
  const parts = (SHAPES[name] ?? []).map(([tag, attributes]) => svg(tag, attributes));
  return svg("svg", { class: `icon icon-${name}`, viewBox: "0 0 16 16", width: 16, height: 16, "aria-hidden": "true" }, parts);
}

export const button = (label, attributes, ...extra) => el("button", { type: "button", ...attributes }, ...extra, label);
/** A button that shows an icon only. */
export const iconButton = (name, label, attributes) =>
  el("button", { type: "button", class: "plain", "aria-label": label, title: label, ...attributes }, icon(name));

export const plural = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

/** Once per frame, however often it is asked for. */
export function perFrame(work) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    // A hidden page has no frames.
    const later = document.hidden ? (then) => setTimeout(then, 50) : requestAnimationFrame;
    later(() => { asked = false; work(); });
  };
}

/** The last call of a burst. */
export function settled(milliseconds, work) {
  let timer;
  return () => { clearTimeout(timer); timer = setTimeout(work, milliseconds); };
}

export async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  // Without TLS behind a proxy there is no clipboard interface.
  const area = el("textarea", { class: "hidden" });
  area.value = text;
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  if (!done) throw new Error("the browser does not let this page copy");
}

const ALLOWED = new Set(("a abbr b blockquote br button caption code del details div dd dl dt em fieldset figcaption figure h1 h2 h3 h4 h5 h6 hr i img input kbd label legend li ol p pre s " +
  "section small span strong sub summary sup table tbody td tfoot th thead tr ul").split(" "));
const PLAIN = new Set(["class", "id", "alt", "title", "href", "rel", "target", "start", "type", "name", "value", "for", "colspan", "rowspan", "open", "scope", "lang", "checked", "disabled", "autocomplete", "align", "role", "tabindex"]);

/** The server's HTML of a step. It has no scripts; were one in it all the same, it is left out here, and the page's policy would refuse it. */
export function markup(html) {
  const parsed = new DOMParser().parseFromString(html ?? "", "text/html");
  for (const element of [...parsed.body.querySelectorAll("*")]) {
    if (!ALLOWED.has(element.localName)) { element.remove(); continue; }
    for (const { name, value } of [...element.attributes]) {
      const fine = PLAIN.has(name) || name.startsWith("data-") || name.startsWith("aria-");
      const link = name === "href" && !/^(https?:|mailto:|#)/i.test(value.trim());
      if (!fine || link) element.removeAttribute(name);
    }
  }
  const fragment = document.createDocumentFragment();
  fragment.append(...parsed.body.childNodes);
  return document.importNode(fragment, true);
}
