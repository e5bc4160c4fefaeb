import { existsSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import { child } from "./child.ts";

/** What the platform floor needs of Debian: a file that shows it is there, and the packages that bring it. */
const needs: readonly { readonly file: string; readonly packages: readonly string[] }[] = [
  { file: "/usr/bin/cc", packages: ["gcc", "libc6-dev"] },
  { file: "/usr/include/stdio.h", packages: ["libc6-dev"] },
  { file: "/usr/bin/lmp", packages: ["lammps"] },
  { file: "/usr/bin/mpirun", packages: ["openmpi-bin"] },
  { file: "/usr/bin/python3", packages: ["python3"] },
  { file: "/usr/lib/python3/dist-packages/numpy", packages: ["python3-numpy"] },
];

/** Installs what is missing with apt; why it could not, or `null` when all is there. Does nothing when it already is. */
export async function installPackages(): Promise<string | null> {
  const missing = absent();
  if (missing.length === 0) return null;
  if (!existsSync("/usr/bin/apt-get")) return `missing, and there is no apt-get: ${missing.join(" ")}`;
  let said = await install(missing);
  if (said !== null) {
    // A fresh machine has no lists, and old lists name packages that the mirror has no more.
    await aptGet(["update", "-qq"]);
    said = await install(missing);
  }
  const still = absent();
  return still.length === 0 ? null : `could not be installed: ${still.join(" ")} (${said ?? "apt-get said nothing"})`;
}

function absent(): readonly string[] {
  return [...new Set(needs.filter((need) => !existsSync(need.file)).flatMap((need) => need.packages))];
}

async function install(packages: readonly string[]): Promise<string | null> {
  const done = await aptGet(["install", "-y", "-qq", "--no-install-recommends", ...packages]);
  return done.status === 0 ? null : `${done.stdout}\n${done.stderr}`.trim().split("\n").slice(-3).join("; ");
}

/** apt-get without questions; waits for another apt's lock. */
export function aptGet(words: readonly string[], cwd = "/") {
  return child(["apt-get", "-o", "DPkg::Lock::Timeout=120", ...words], {
    cwd,
    env: { DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C" },
    seconds: 600,
  });
}

/** Where the floor keeps what it has built or downloaded. */
export function cacheFolder(): string {
  return path.join(process.env["XDG_CACHE_HOME"] ?? path.join(os.homedir(), ".cache"), "holdfast-test");
}
