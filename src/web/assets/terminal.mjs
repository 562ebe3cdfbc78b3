// One terminal: xterm.js over a WebSocket. The shell belongs to the server; what was missed comes again on a new connection.

import "./xterm-styles.mjs";
import { Terminal as Xterm } from "./xterm.mjs";
import { FitAddon } from "./addon-fit.mjs";
import { WebLinksAddon } from "./addon-web-links.mjs";
import { backoff, secret, socket } from "./api.mjs";
import { copy, settled } from "./dom.mjs";
import { isDark, isStill, onSettings, settings } from "./settings.mjs";

const ACK = 32 * 1024;
/** The most that the server takes at once. */
const FRAME = 32 * 1024;
const LIGHT = {
  background: "#fdfdfc", foreground: "#1d2329", cursor: "#0b5cad", cursorAccent: "#fdfdfc", selectionBackground: "#b9d7f5",
  black: "#1d2329", red: "#b3261e", green: "#17693a", yellow: "#7a5200", blue: "#0b5cad", magenta: "#8a2d86", cyan: "#0b6674", white: "#5f6872",
  brightBlack: "#5f6872", brightRed: "#c9302a", brightGreen: "#1d7d46", brightYellow: "#8f6100", brightBlue: "#1a6fc4", brightMagenta: "#a03a9c", brightCyan: "#0e7a8a", brightWhite: "#1d2329",
};
const DARK = {
  background: "#101418", foreground: "#e4e8eb", cursor: "#7cc0ff", cursorAccent: "#101418", selectionBackground: "#2c4d6e",
  black: "#2a3138", red: "#ff8a80", green: "#6fd69b", yellow: "#e9c46a", blue: "#7cc0ff", magenta: "#e29af0", cyan: "#6bd3df", white: "#d5dbe0",
  brightBlack: "#8d97a1", brightRed: "#ffaba4", brightGreen: "#93e6b5", brightYellow: "#f3d994", brightBlue: "#a6d4ff", brightMagenta: "#efbdf8", brightCyan: "#9be6ee", brightWhite: "#ffffff",
};

export class Terminal {
  /** `changed` is called when the connection's or the shell's state is another. */
  constructor(session, { name, title, readOnly }, changed) {
    Object.assign(this, { session, name, title: title ?? name, readOnly, changed });
    this.state = "unseen";
    this.received = 0;
    this.drawn = 0;
    this.acknowledged = 0;
    this.replayEnd = 0;
    this.fit = new FitAddon();
    this.xterm = new Xterm({
      allowProposedApi: false, convertEol: false, cursorBlink: !isStill(), disableStdin: readOnly, drawBoldTextInBrightColors: false,
      fontFamily: 'ui-monospace, "SF Mono", SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", "Liberation Mono", monospace',
      fontSize: 13, lineHeight: 1.15, macOptionIsMeta: true, minimumContrastRatio: 4.5, scrollback: 5000, smoothScrollDuration: 0,
    });
    this.xterm.loadAddon(this.fit);
    this.xterm.loadAddon(new WebLinksAddon((event, uri) => { if (/^https?:/i.test(uri)) window.open(uri, "_blank", "noopener,noreferrer"); }));
    this.xterm.attachCustomKeyEventHandler((event) => this.key(event));
    this.xterm.onData((data) => this.send(data));
    this.xterm.onBinary((data) => this.send(Uint8Array.from(data, (character) => character.charCodeAt(0))));
    this.resized = settled(60, () => this.fitted());
  }

  open(element) {
    this.element = element;
    this.xterm.open(element);
    onSettings(() => {
      this.xterm.options.theme = isDark() ? DARK : LIGHT;
      // In step with the page's text: its setting, a large screen, the presentation.
      this.xterm.options.fontSize = Math.round(13 * (Number.parseFloat(getComputedStyle(document.documentElement).fontSize) / 16));
      this.xterm.options.screenReaderMode = settings.screenReader;
      this.resized();
    });
    this.observer = new ResizeObserver(this.resized);
    this.observer.observe(element);
    // Another tab of the session may have another size: the one in use sets it.
    element.addEventListener("focusin", this.resized);
    this.fitted();
  }

  key(event) {
    if (event.type !== "keydown") return true;
    const chord = event.ctrlKey && event.shiftKey && !event.altKey;
    if (chord && event.code === "KeyC") {
      event.preventDefault();
      if (this.xterm.hasSelection()) copy(this.xterm.getSelection()).then(() => this.xterm.focus(), () => {});
      return false;
    }
    // The browser pastes, as a paste event.
    return !(chord && event.code === "KeyV");
  }

  fitted() {
    // One that nobody sees has no size to tell, and need not be connected yet.
    if (!this.element?.offsetParent || this.gone) return;
    const size = this.fit.proposeDimensions();
    if (!size || !(size.cols > 1) || !(size.rows > 1)) return;
    if (size.cols !== this.xterm.cols || size.rows !== this.xterm.rows) this.xterm.resize(size.cols, size.rows);
    if (this.sentSize !== `${size.cols} ${size.rows}`) {
      this.sentSize = `${size.cols} ${size.rows}`;
      this.tell({ resize: { rows: size.rows, cols: size.cols } });
    }
    if (this.state === "unseen") { this.turn("connecting"); this.connect(); }
  }

  async connect() {
    for (let tries = 0; !this.gone && this.state !== "ended"; tries += 1) {
      if (await this.connection()) tries = 0;
      if (this.gone || this.state === "ended") return;
      this.turn("lost");
      await backoff(tries);
    }
  }

  /** One connection, from its beginning to its end; whether it came to stand. */
  connection() {
    return new Promise((resolve) => {
      let stood = false;
      const { rows, cols } = this.xterm;
      this.link = socket(this.session.path(`terminals/${encodeURIComponent(this.name)}`));
      this.link.binaryType = "arraybuffer";
      this.link.onopen = () => {
        this.sentSize = `${cols} ${rows}`;
        this.link.send(JSON.stringify({ secret, rows, cols, from: this.received, read_only: Boolean(this.readOnly) }));
      };
      this.link.onmessage = ({ data }) => {
        if (typeof data !== "string") { this.output(new Uint8Array(data)); return; }
        const message = JSON.parse(data);
        if (message.at !== undefined) { stood = true; this.begin(message); }
        if (message.error) { this.note(message.error); this.turn("ended"); }
        if (message.resized) this.follow(message.resized);
        if (message.closed !== undefined) this.end();
      };
      this.link.onclose = () => resolve(stood);
    });
  }

  begin({ at, end, title }) {
    if (title) this.title = title;
    if (at < this.received) this.xterm.reset();
    if (at > this.received) this.note(this.received ? "some output is no longer kept" : "earlier output is no longer kept");
    this.received = at;
    this.acknowledged = at;
    this.drawn = at;
    this.replayEnd = end ?? at;
    this.turn("open");
    this.resized();
  }

  output(bytes) {
    this.received += bytes.length;
    const at = this.received;
    this.xterm.write(bytes, () => {
      this.drawn = at;
      if (at - this.acknowledged >= ACK || at === this.received) {
        this.acknowledged = at;
        this.tell({ ack: at });
      }
    });
    this.session.emit("output", this.name);
  }

  /** Of another tab that sized the shell's terminal. */
  follow({ rows, cols }) {
    if (this.element.contains(document.activeElement)) return;
    this.sentSize = `${cols} ${rows}`;
    if (rows !== this.xterm.rows || cols !== this.xterm.cols) this.xterm.resize(cols, rows);
    this.sentSize = null;
  }

  end() {
    this.note("this shell has ended");
    this.turn("ended");
    this.link.close();
  }

  /** The session says so; one that is seen hears it from its own socket, after its last output. */
  ended() { if (this.state === "unseen") this.turn("ended"); }

  note(text) { this.xterm.write(`\r\n\x1b[2m[${text}]\x1b[0m\r\n`); }

  tell(message) {
    if (this.state === "open" && this.link.readyState === WebSocket.OPEN) this.link.send(JSON.stringify(message));
  }

  send(data) {
    // What xterm.js answers to queries in a replay was answered long ago.
    if (this.readOnly || this.drawn < this.replayEnd || this.state !== "open" || this.link.readyState !== WebSocket.OPEN) return;
    const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
    for (let at = 0; at < bytes.length; at += FRAME) this.link.send(bytes.subarray(at, at + FRAME));
  }

  focus() { this.xterm.focus(); }

  turn(state) {
    if (this.state === state) return;
    this.state = state;
    this.changed(this);
  }

  dispose() {
    this.gone = true;
    this.observer?.disconnect();
    this.link?.close();
    this.xterm.dispose();
  }
}
