// What the page asks of the server. The secret comes in the address's fragment, which no server sees, and is kept for this tab.

const KEY = `keywitness.secret ${new URL("./", location.href).pathname}`;

function keep() {
  const given = decodeURIComponent(location.hash.slice(1));
  if (!/^[A-Za-z0-9_-]{20,}$/.test(given)) return sessionStorage.getItem(KEY);
  sessionStorage.setItem(KEY, given);
  history.replaceState(null, "", location.pathname + location.search);
  return given;
}

export const secret = keep();

export class Refusal extends Error {
  constructor(status, message, hint) {
    super(message);
    this.status = status;
    this.hint = hint;
  }
}

// A proxy may want `Authorization` for itself: then the secret goes in a header of our own.
let bearer = () => ({ Authorization: `Bearer ${secret}` });

async function call(path, options = {}) {
  const send = () => fetch(`./api/${path}`, {
    cache: "no-store", credentials: "same-origin", referrerPolicy: "no-referrer", ...options, headers: { ...bearer(), ...options.headers },
  });
  let response;
  try {
    response = await send();
    if (response.status === 401 && !response.headers.has("X-Keywitness")) {
      bearer = () => ({ "X-Keywitness-Secret": secret });
      response = await send();
    }
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refusal(0, "The server does not answer.", "Is keywitness serve still running in its terminal?");
  }
  if (response.ok) return response;
  const said = await response.json().catch(() => ({}));
  const words = response.status === 401 ? "The server does not know this page's secret." : `The server refused (${response.status}).`;
  throw new Refusal(response.status, said.error ?? words, said.hint ?? (response.status === 401 ? "Open the link that keywitness serve has printed." : undefined));
}

export const get = async (path, options) => (await call(path, options)).json();
export const blob = async (path) => (await call(path)).blob();
export const post = async (path, body) =>
  (await call(path, { method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json" } })).json();
export const remove = (path) => call(path, { method: "DELETE", headers: { "Content-Type": "application/json" } });

export const query = (values) => new URLSearchParams(values).toString();
/** A link to another page of ours, good for a new tab too. */
export const link = (page) => `${page}#${secret ?? ""}`;

export const socket = (path) => {
  const url = new URL(`./api/${path}`, location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  return new WebSocket(url);
};

export const wait = (milliseconds) => new Promise((then) => setTimeout(then, milliseconds));
/** Longer from try to try, to 5 s, and never at one moment for all tabs. */
export const backoff = (tries) => wait(Math.min(5000, 200 * 2 ** tries) * (0.75 + Math.random() / 2));

function* records(text) {
  for (const record of text.split("\n\n")) {
    const event = { data: [] };
    for (const line of record.split("\n")) {
      const [, name, value] = /^(data|id): ?(.*)$/.exec(line) ?? [];
      if (name === "data") event.data.push(value);
      if (name === "id") event.id = value;
    }
    if (event.data.length) yield { id: event.id, data: JSON.parse(event.data.join("\n")) };
  }
}

const shown = () => new Promise((then) => {
  if (!document.hidden) { then(); return; }
  document.addEventListener("visibilitychange", () => then(), { once: true });
});

/** Server-sent events, until `signal`. A browser opens six connections to a host: a hidden page gives its own back. */
export async function listen(path, { event, up, down, signal }) {
  let last;
  for (let tries = 0; ; tries += 1) {
    await shown();
    if (signal.aborted) return;
    const closer = new AbortController();
    const leave = () => closer.abort();
    signal.addEventListener("abort", leave);
    const hide = () => { if (document.hidden) closer.abort(); };
    document.addEventListener("visibilitychange", hide);
    try {
      const response = await call(path, { signal: closer.signal, headers: last === undefined ? {} : { "Last-Event-ID": last } });
      tries = 0;
      up?.();
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let held = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        held += value.replaceAll("\r", "");
        const end = held.lastIndexOf("\n\n");
        if (end < 0) continue;
        for (const { id, data } of records(held.slice(0, end))) {
          if (id !== undefined) last = id;
          event(data);
        }
        held = held.slice(end + 2);
      }
    } catch (error) {
      if (error instanceof Refusal && [401, 403, 404, 410].includes(error.status)) { down?.(error, true); return; }
      if (!(error instanceof Refusal) && !(error instanceof TypeError) && error.name !== "AbortError") console.error(error);
    }
    document.removeEventListener("visibilitychange", hide);
    signal.removeEventListener("abort", leave);
    if (signal.aborted) return;
    if (closer.signal.aborted) { tries = -1; continue; }
    down?.();
    await backoff(tries);
  }
}
