// xterm.js writes its styles as text, which this page's policy refuses. The same rules through the object model are allowed,
// so its elements of style become style sheets of the document, and its style attributes declarations.

const createElement = document.createElement.bind(document);

function style() {
  // Nothing is shown of a template. An element of style is refused even while it is empty.
  const element = createElement("template");
  const sheet = new CSSStyleSheet();
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
  let text = "";
  Object.defineProperty(element, "textContent", {
    get: () => text,
    set: (value) => { text = value; sheet.replaceSync(value); },
  });
  element.remove = () => {
    document.adoptedStyleSheets = document.adoptedStyleSheets.filter((held) => held !== sheet);
    Element.prototype.remove.call(element);
  };
  return element;
}

document.createElement = (name, options) => (name === "style" ? style() : createElement(name, options));

const setAttribute = Element.prototype.setAttribute;
Element.prototype.setAttribute = function set(name, value) {
  if (name === "style" && this.style) this.style.cssText = value;
  else setAttribute.call(this, name, value);
};
