// Builds dist/ and the copies that Parley serves. With --check, it compares them with what it would build.

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { build, transformSync } from "esbuild";

const SERVED = "../../chat/static/chat";
// Entry point -> the files that are built from it, and their maximum kilobytes with gzip.
const BUNDLES = {
  "src/index.ts": { files: ["dist/index.js", `${SERVED}/client.js`], limit: 6 },
  "src/element/element.ts": { files: ["dist/element.js", `${SERVED}/embed/parley-chat.js`], limit: 15 },
};
const isCheck = process.argv.includes("--check");
const problems = [];

function write(path, content) {
  if (isCheck) {
    if (readFileSync(path, "utf8") !== content) problems.push(`clients/js/${path}: outdated; run make js`);
    return;
  }
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}

// schema.ts is not part of it: it is generated and contains types only.
function hashSources() {
  const names = readdirSync("src", { recursive: true }).filter((name) => /\.(css|ts)$/.test(name));
  const hash = createHash("sha256");
  for (const name of names.sort()) if (name !== "schema.ts") hash.update(readFileSync(join("src", name)));
  return hash.digest("hex");
}

// Imports a style sheet as a string.
const styles = {
  name: "styles",
  setup({ onLoad }) {
    onLoad({ filter: /\.css$/ }, ({ path }) => {
      const { code } = transformSync(readFileSync(path, "utf8"), { loader: "css", minify: true, target: "chrome123" });
      return { contents: code, loader: "text" };
    });
  },
};

async function bundle(entry, { files, limit }) {
  const { version } = JSON.parse(readFileSync("package.json", "utf8"));
  const options = { bundle: true, minify: true, write: false, format: "esm", target: "es2022", plugins: [styles] };
  const { outputFiles } = await build({ entryPoints: [entry], ...options });
  const { text } = outputFiles[0];
  const hashes = `sources ${hashSources()}, content ${createHash("sha256").update(text).digest("hex")}`;
  const built = `/* @parley/client ${version}, MIT; built by make js from ${hashes} */\n${text}`;
  const size = gzipSync(built, { level: 9 }).length;
  console.log(`${files[0]}: ${size} bytes with gzip`);
  if (size > limit * 1024) problems.push(`clients/js/${files[0]}: more than ${limit} KiB with gzip`);
  for (const file of files) write(file, built);
}

function declare() {
  const directory = mkdtempSync(join(tmpdir(), "parley-types-"));
  try {
    const { status } = spawnSync("node_modules/.bin/tsc", ["--outDir", directory], { stdio: "inherit" });
    if (status) process.exit(status);
    const names = readdirSync(directory, { recursive: true }).filter((name) => name.endsWith(".d.ts"));
    for (const name of names) write(join("dist", name), readFileSync(join(directory, name), "utf8"));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

for (const [entry, options] of Object.entries(BUNDLES)) await bundle(entry, options);
declare();
for (const problem of problems) console.error(problem);
process.exitCode = problems.length ? 1 : 0;
