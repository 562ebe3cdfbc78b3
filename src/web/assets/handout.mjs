// The whole lab on paper: every step's text, boxes to tick for its checks, room for answers; no hints, no solutions.

import { $, el, markup } from "./dom.mjs";

export async function handout(session, page) {
  const parts = [el("h1", {}, page.view.lab.title)];
  for (const { number, title } of page.steps) {
    const { step, intro_html: intro } = await session.fetchPage(number);
    if (number === 1 && intro) parts.push(el("section", {}, markup(intro)));
    const body = el("div", {}, markup(step.html));
    for (const fold of body.querySelectorAll("details, .solution")) fold.remove();
    const own = body.firstElementChild;
    if (own?.matches("h1, h2") && own.textContent.trim() === title.trim()) own.remove();
    for (const check of body.querySelectorAll(".check")) check.prepend(el("span", { class: "box" }));
    for (const input of body.querySelectorAll("input")) input.replaceWith(el("span", { class: input.type === "text" ? "rule" : "box round" }));
    for (const picture of body.querySelectorAll("img[data-picture]")) {
      const drawn = $("page").querySelector(`img[data-picture="${CSS.escape(picture.dataset.picture)}"]`);
      if (drawn?.src) picture.src = drawn.src;
      else picture.replaceWith(el("span", {}, `[picture: ${picture.alt}]`));
    }
    parts.push(el("section", {}, el("h2", {}, `${number}. ${title}`), body));
  }
  // Names of places would stand twice in the document.
  for (const part of parts) for (const named of part.querySelectorAll("[id]")) named.removeAttribute("id");
  $("handout").replaceChildren(...parts);
  document.body.classList.add("printing");
  window.addEventListener("afterprint", () => { document.body.classList.remove("printing"); $("handout").replaceChildren(); }, { once: true });
  window.print();
}
