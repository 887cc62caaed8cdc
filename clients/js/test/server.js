// The server of the tests: the one at PARLEY_URL, or a new one with a temporary directory.

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const START_TIMEOUT = 60_000; // ms

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  return port;
}

async function isReady(url) {
  try {
    return (await fetch(`${url}/ready`)).ok;
  } catch {
    return false;
  }
}

/** Return the URL of a running server, an API key, and a function that stops it. */
export async function startServer() {
  const { PARLEY_URL: running, PARLEY_API_KEY: key } = process.env;
  if (running) return { url: running, key, stop: async () => {} };
  const home = await mkdtemp(join(tmpdir(), "parley-js-"));
  const port = await freePort();
  const env = { ...process.env, PARLEY_HOME: home };
  const options = { cwd: ROOT, env, stdio: ["ignore", "ignore", "inherit"] };
  const server = spawn(".venv/bin/python", ["manage.py", "run", "--port", `${port}`, "--end-with-parent"], options);
  const url = `http://127.0.0.1:${port}`;
  const deadline = Date.now() + START_TIMEOUT;
  while (!(await isReady(url))) {
    if (server.exitCode !== null || Date.now() > deadline) throw new Error("Parley did not start.");
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const create = ["manage.py", "apikey", "create", "test", "--tenant", "test", "--scope", "sessions", "--scope", "users"];
  const { stdout } = spawnSync(".venv/bin/python", create, { ...options, stdio: "pipe", encoding: "utf8" });
  const stop = async () => {
    const ended = once(server, "exit");
    server.kill("SIGTERM");
    await ended;
    await rm(home, { recursive: true });
  };
  return { url, key: stdout.trim(), stop };
}
