// A learner's page behind JupyterHub's own proxy, configurable-http-proxy, under a path of its own: text, terminal, events, a cut.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createServer } from "node:net";
import { browser, clean, green, need, openLab, prompt, run, screenText, serve, tools, type, undo, until, watched } from "./harness.mjs";

const free = () => new Promise((then) => {
  const server = createServer().listen(0, "127.0.0.1", () => { const { port } = server.address(); server.close(() => then(port)); });
});

/** What the hub does for a learner: the proxy, and a route in it. */
async function hub() {
  const [port, api] = [await free(), await free()];
  const token = "of-this-test";
  const program = `${tools}/node_modules/configurable-http-proxy/bin/configurable-http-proxy`;
  const child = spawn(process.execPath, [program, "--ip", "127.0.0.1", "--port", String(port), "--api-ip", "127.0.0.1", "--api-port", String(api), "--log-level", "error"], {
    env: { ...process.env, CONFIGPROXY_AUTH_TOKEN: token }, stdio: ["ignore", "inherit", "inherit"],
  });
  undo.push(() => child.kill("SIGKILL"));
  process.on("exit", () => child.kill("SIGKILL"));
  const routes = (path, options) => fetch(`http://127.0.0.1:${api}/api/routes${path}`, { ...options, headers: { Authorization: `token ${token}` } });
  await until("the proxy answers", async () => (await routes("/")).ok);
  const route = (target) => routes("/user/ann", { method: "POST", body: JSON.stringify({ target }) });
  return { origin: `http://127.0.0.1:${port}`, route };
}

await run(async () => {
  const { origin, route } = await hub();
  const port = await free();
  const served = await serve(need("KEYWITNESS_LABS"), ["--port", String(port), "--base-path", "/user/ann/", "--origin", origin]);
  assert.equal(served.base, `${origin}/user/ann/`);
  assert.equal((await route(`http://127.0.0.1:${port}`)).status, 201);
  const { open } = await browser();
  const page = await watched(await open(), served);

  await page.goto(served.link);
  await page.locator(".lab-list").waitFor();
  await openLab(page, served, "first-look", { NAMESPACE: "behind" });
  await type(page, "kubectl create namespace behind");
  await page.locator(".change", { hasText: "behind" }).first().waitFor();
  await page.getByRole("button", { name: /^Run block/ }).first().click();
  await green(page);

  // A page that is reloaded is shown the terminal that it left.
  await page.reload();
  await page.locator("#room:not([hidden])").waitFor();
  await prompt(page);
  assert.match(await screenText(page), /namespace\/behind created/);
  clean(page);

  // Without the secret, the proxy's own address is of no use.
  const answer = await fetch(`${origin}/user/ann/api/course`);
  assert.equal(answer.status, 401);
});
