// Runs before `npm start` and `npm test`, on whatever Node the machine has: installs what is missing, once.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const installed = join(root, "node_modules", ".package-lock.json");

/** True when every package of the lock file stands in node_modules at its locked version. */
function upToDate() {
  if (!existsSync(installed) || !existsSync(join(root, "node_modules", "node", "bin"))) return false;
  const want = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")).packages;
  const have = JSON.parse(readFileSync(installed, "utf8")).packages;
  return Object.entries(want).every(
    ([path, entry]) => path === "" || entry.optional || have[path]?.version === entry.version,
  );
}

if (!upToDate()) {
  process.stderr.write("Installing the packages of package-lock.json (once, about 15 seconds) ...\n");
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  const done = spawnSync(npm, ["ci", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: root,
    stdio: ["ignore", process.stderr, process.stderr],
    shell: process.platform === "win32",
  });
  if (done.status !== 0) {
    process.stderr.write("The installation failed. Run `npm ci` to see why; it needs Node 20 or newer and npm.\n");
    process.exit(done.status ?? 1);
  }
}
