import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { execa } from "execa";
import { stanza, type AptArchive, type AptFile } from "./apt-sources.ts";

/** Why a download did not come about, in apt's own last words. */
export type Downloaded =
  | { readonly type: "downloaded"; readonly packages: readonly string[] }
  | { readonly type: "failed"; readonly why: string };

/**
 * Downloads `criu` and everything it needs, the C library included, from one suite of an archive; installs nothing, and neither reads
 * nor changes the system's package lists. `folder` keeps lists and packages for the next time. The status file is empty, so
 * apt believes that nothing is installed and fetches all; signatures are checked as ever.
 */
export async function downloadCriu(
  archive: AptArchive,
  suite: string,
  folder: string,
  say: (phase: string) => void,
): Promise<Downloaded> {
  const place = (name: string) => path.join(folder, name);
  for (const name of ["state/lists/partial", "cache/archives/partial", "sources"]) await mkdir(place(name), { recursive: true });
  await writeFile(place("status"), "");
  await writeFile(place("sources/holdfast.sources"), stanza(archive, suite, componentsFor(archive), architecture()));
  const options = Object.entries({
    "Dir::State": place("state"),
    "Dir::State::status": place("status"),
    "Dir::Cache": place("cache"),
    "Dir::Etc::sourcelist": "/dev/null",
    "Dir::Etc::sourceparts": place("sources"),
    "Dir::Etc::preferences": "/dev/null",
    "Dir::Etc::preferencesparts": "/dev/null",
    "APT::Default-Release": "",
    "APT::Architecture": architecture(),
    "APT::Install-Recommends": "false",
    "APT::Update::Error-Mode": "any",
    "Acquire::Retries": "2",
  }).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
  const steps = [
    { phase: `reading the package lists of ${suite}`, words: ["update"] },
    // Packages of an earlier time that this suite no longer has would be unpacked along.
    { phase: `reading the package lists of ${suite}`, words: ["autoclean"] },
    { phase: `downloading criu and its libraries from ${suite}`, words: ["-y", "--download-only", "install", "criu"] },
  ];
  for (const { phase, words } of steps) {
    say(phase);
    const done = await execa("apt-get", [...options, ...words], {
      env: { LC_ALL: "C", DEBIAN_FRONTEND: "noninteractive" },
      stdin: "ignore",
      reject: false,
      timeout: 600_000,
    });
    if (done.failed)
      return { type: "failed", why: lastWords(`${done.stdout}\n${done.stderr}`) ?? done.shortMessage ?? "apt-get failed" };
  }
  const archives = place("cache/archives");
  const packages = (await readdir(archives)).filter((name) => name.endsWith(".deb"));
  return { type: "downloaded", packages: packages.map((name) => path.join(archives, name)) };
}

/** The files apt reads its archives from; empty on a machine without apt. */
export async function aptFiles(etc: string): Promise<readonly AptFile[]> {
  const parts = path.join(etc, "sources.list.d");
  const names = (await readdir(parts).catch(() => [])).filter((name) => /\.(list|sources)$/.test(name)).toSorted();
  const files: AptFile[] = [];
  for (const file of [path.join(etc, "sources.list"), ...names.map((name) => path.join(parts, name))]) {
    const text = await readFile(file, "utf8").catch(() => null);
    if (text !== null) files.push({ name: path.basename(file), text });
  }
  return files;
}

// Ubuntu keeps criu in universe; Debian has no such component, and apt only warns of one that is missing.
function componentsFor(archive: AptArchive): readonly string[] {
  return archive.components.includes("universe") ? ["main", "universe"] : ["main"];
}

function architecture(): string {
  return process.arch === "x64" ? "amd64" : process.arch;
}

function lastWords(text: string): string | null {
  return text.split("\n").findLast((line) => /^(E|W|Err):/.test(line)) ?? null;
}
