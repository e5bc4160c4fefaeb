import { mkdir, mkdtemp, open, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { Fault } from "../faults/fault.ts";
import { aptFiles, downloadCriu } from "./apt.ts";
import { distributionMirrors, readAptSources, type AptArchive } from "./apt-sources.ts";
import { holdLock } from "./hold-lock.ts";
import { onPath, prefixCommand, readWorksMark, worksMark, type Located } from "./locate.ts";
import { probeCriu, type CriuReport } from "./probe.ts";
import { run } from "./run.ts";
import { atLeast } from "../domain/version.ts";

export type InstallOptions = {
  /** Where prefixes (`criu-*`) and downloads are kept: root's, on a disk. */
  readonly cacheRoot: string;
  readonly searchPath: string;
  /** Folder of apt's own configuration. */
  readonly aptFolder: string;
};

/** The oldest CRIU that is let be when it is there: older ones pass their own check and still fail on sockets or newer kernels. */
export const leastVersion = "4.2";

/**
 * Gets a CRIU that passes its own check on this kernel: one that was installed before, which `locateCriu` prefers too; else the
 * system's if it is there and new enough; else the newest suite of the machine's own mirror, unpacked into a prefix of its own. The system's packages stay untouched.
 *
 * Two at once wait for one another. A crash leaves at most a `.criu-*` folder, which the next one sweeps; a prefix is there under its name
 * only whole, synced and marked. Faults: `criu-install-failed`, `not-root`, `tool-missing`.
 */
export async function installCriu(options: InstallOptions, onPhase: (phase: string) => void): Promise<CriuReport> {
  if (process.geteuid?.() !== 0) throw Fault.of("not-root", { verb: "installing CRIU" });
  await mkdir(options.cacheRoot, { recursive: true, mode: 0o755 });
  const release = await holdLock(path.join(options.cacheRoot, "install.lock"), () => onPhase("waiting for another installation"));
  try {
    onPhase("looking for a CRIU that works here");
    return (
      (await installedBefore(options.cacheRoot)) ??
      (await fitSystem(options.searchPath)) ??
      (await installPrivate(options, onPhase))
    );
  } finally {
    await release();
  }
}

async function installPrivate(options: InstallOptions, onPhase: (phase: string) => void): Promise<CriuReport> {
  const { id, codename } = await distribution();
  if (!(await hasApt())) throw failed("this system has no apt", byHand);
  const mirrors = distributionMirrors(readAptSources(await aptFiles(options.aptFolder)), id, codename);
  if (mirrors.length === 0) throw failed(`${options.aptFolder} names no mirror of ${id} ${codename}`, byHand);
  const tried: string[] = [];
  for (const suite of id === "ubuntu" ? ["devel"] : ["sid", "testing"]) {
    for (const mirror of mirrors) {
      const done = await trySuite(options, mirror, suite, onPhase);
      if (done.type === "works") return done.report;
      tried.push(`${suite}: ${done.why}`);
    }
  }
  throw failed(tried.join("; "), `check the network and the mirror, then try again; or ${byHand}`);
}

type Tried = { readonly type: "works"; readonly report: CriuReport } | { readonly type: "failed"; readonly why: string };

async function trySuite(
  options: InstallOptions,
  mirror: AptArchive,
  suite: string,
  onPhase: (phase: string) => void,
): Promise<Tried> {
  const downloads = path.join(options.cacheRoot, "downloads", suite);
  const got = await downloadCriu(mirror, suite, downloads, onPhase);
  if (got.type === "failed") return got;
  const aside = await mkdtemp(path.join(options.cacheRoot, ".criu-"));
  try {
    onPhase("unpacking");
    for (const file of got.packages) {
      const said = await run(["dpkg", "-x", file, aside], 120);
      if (said.exitCode !== 0) return { type: "failed", why: `${path.basename(file)}: ${said.stderr}` };
    }
    const command = await prefixCommand(aside);
    if (!command) return { type: "failed", why: "the packages hold no criu for this machine" };
    onPhase("checking it against this kernel");
    const found = await probeCriu({ command, source: "private", path: aside }).catch((error: unknown) => {
      if (error instanceof Fault) return error;
      throw error;
    });
    if (found instanceof Fault) return { type: "failed", why: found.message };
    onPhase("putting it in place");
    return { type: "works", report: await putInPlace(options.cacheRoot, aside, found) };
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
}

/** Sync, mark, sync, one rename: after it the prefix is there, before it it is not. */
async function putInPlace(cacheRoot: string, aside: string, found: CriuReport): Promise<CriuReport> {
  // syncfs: the thirty megabytes just unpacked, before the mark that vouches for them.
  const synced = await run(["sync", "--file-system", aside], 120);
  if (synced.exitCode !== 0) throw failed(synced.stderr, "look at the disk");
  const mark = path.join(aside, worksMark);
  await writeFile(mark, `${JSON.stringify({ version: found.version, kernel: os.release() })}\n`);
  for (const file of [mark, aside]) await sync(file);
  const prefix = path.join(cacheRoot, `criu-${found.version}-${path.basename(aside).slice(".criu-".length)}`);
  await rename(aside, prefix);
  await sync(cacheRoot);
  return { ...found, command: (await prefixCommand(prefix)) ?? [], path: prefix };
}

async function fitSystem(searchPath: string): Promise<CriuReport | null> {
  const program = await onPath(searchPath);
  const found = program === null ? null : await whole({ command: [program], source: "system", path: program });
  return found && atLeast(found.version, leastVersion) ? found : null;
}

/**
 * The newest prefix that still passes its check. One that does not, on a kernel that is new, loses its mark, so that nobody takes
 * it again; its files are left, a dump may be using them.
 */
async function installedBefore(cacheRoot: string): Promise<CriuReport | null> {
  let best: CriuReport | null = null;
  for (const name of await readdir(cacheRoot)) {
    const prefix = path.join(cacheRoot, name);
    if (name.startsWith(".criu-")) await rm(prefix, { recursive: true, force: true });
    if (!name.startsWith("criu-") || !(await readWorksMark(prefix))) continue;
    const command = await prefixCommand(prefix);
    const report = command && (await whole({ command, source: "private", path: prefix }));
    if (!report) await rm(path.join(prefix, worksMark), { force: true });
    else if (atLeast(report.version, best?.version ?? leastVersion)) best = report;
  }
  return best;
}

async function whole(located: Located): Promise<CriuReport | null> {
  return probeCriu(located).catch((error: unknown) => {
    if (error instanceof Fault) return null;
    throw error;
  });
}

async function distribution(): Promise<{ readonly id: string; readonly codename: string }> {
  const text = await readFile("/etc/os-release", "utf8").catch(() => "");
  const value = (name: string) => new RegExp(`^${name}="?([^"\\n]*)"?$`, "m").exec(text)?.[1];
  return { id: value("ID") ?? "unknown", codename: value("VERSION_CODENAME") ?? "unknown" };
}

async function hasApt(): Promise<boolean> {
  const said = await Promise.all([run(["apt-get", "--version"]), run(["dpkg", "--version"])]);
  return said.every(({ missing }) => !missing);
}

async function sync(file: string): Promise<void> {
  const handle = await open(file, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

const byHand = `install CRIU ${leastVersion}.1 or newer by the system's own means (dnf, zypper, pacman or apk install criu), or build it from source, and name it as criu.path in the settings`;

function failed(why: string, advice: string): Fault {
  return Fault.of("criu-install-failed", { why, advice });
}
