import { execFile } from "node:child_process";
import { mkdir, readdir, rm } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { notBack } from "./program.ts";
import type { Manner } from "./table.ts";

const execute = promisify(execFile);

/** A backup program of Debian's, and how it is told to keep the folder of a point and to bring it back into a working directory. */
type Program = {
  readonly name: string;
  readonly init: readonly string[];
  readonly keep: (n: number) => readonly string[];
  /** Run in the folder to which it brings the point back. */
  readonly bringBack: (n: number) => readonly string[];
};

/** `tools`: the folder that `tools.sh` made. `repository`: where this one keeps everything. Run in the folder of the exports. */
function programs(tools: string, repository: string): readonly Program[] {
  const library = path.join(tools, "usr/lib/x86_64-linux-gnu");
  const loader = [path.join(library, "ld-linux-x86-64.so.2"), "--library-path", library];
  const restic = [...loader, path.join(tools, "usr/bin/restic"), "--no-cache", "--quiet", "-r", repository];
  const borg = [...loader, path.join(tools, "usr/bin/python3.11"), "-m", "borg"];
  const resticWith = (name: string, options: readonly string[]): Program => ({
    name,
    init: [...restic, "init", "--repository-version", "2"],
    keep: (n) => [...restic, ...options, "backup", "--tag", `point-${n}`, String(n)],
    bringBack: (n) => [...restic, "restore", "latest", "--tag", `point-${n}`, "--target", "."],
  });
  const borgWith = (name: string, options: readonly string[]): Program => ({
    name,
    init: [...borg, "init", "--encryption", "none", repository],
    keep: (n) => [...borg, "create", ...options, `${repository}::${n}`, String(n)],
    bringBack: (n) => [...borg, "extract", `${repository}::${n}`],
  });
  const plain = ["--compression", "none"];
  return [
    resticWith("restic over the exports, its defaults", []),
    resticWith("restic over the exports, `--compression off`", ["--compression", "off"]),
    borgWith("borg over the exports, its defaults", []),
    borgWith("borg over the exports, `--compression none`", plain),
    borgWith("borg over the exports, `--compression none --chunker-params fixed,4096`", [
      ...plain,
      "--chunker-params",
      "fixed,4096",
    ]),
  ];
}

/** Backs up the folders `1`, `2`, ... of `exports` one after the other with each program; each point is then fetched again and compared, byte by byte. */
export async function backups(exports: string, folder: string): Promise<readonly Manner[]> {
  const { stdout } = await execute("sh", [path.join(import.meta.dirname, "tools.sh"), "/var/cache/holdfast/side-by-side"], {
    timeout: 600_000,
  });
  const tools = /^tools=(.+)$/m.exec(stdout)?.[1];
  if (tools === undefined) throw new Error(`tools.sh said ${stdout}`);
  const repository = path.join(folder, "repository");
  const env = {
    ...{ PATH: process.env["PATH"], HOME: folder, LC_ALL: "C.UTF-8", TMPDIR: folder },
    ...{ PYTHONHOME: path.join(tools, "usr"), RESTIC_PASSWORD: "side by side" },
    // Its cache is not part of the repository, and must know of no other one.
    ...{ BORG_BASE_DIR: path.join(folder, "borg"), BORG_RELOCATED_REPO_ACCESS_IS_OK: "yes" },
    BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK: "yes",
  };
  const run = ([program = "", ...words]: readonly string[], cwd: string) =>
    execute(program, words, { cwd, env, maxBuffer: 2 ** 26 });

  const numbers = (await readdir(exports)).map(Number).toSorted((one, other) => one - other);
  const manners: Manner[] = [];
  for (const { name, init, keep, bringBack } of programs(tools, repository)) {
    process.stderr.write(`${name} ...\n`);
    await run(init, folder);
    for (const n of numbers) await run(keep(n), exports);
    const bytes = Number((await run(["du", "--block-size=1", "-s", repository], folder)).stdout.split(/\s/)[0]);
    const back = await notBack(name, numbers, async (n) => {
      const into = path.join(folder, "back");
      await mkdir(into);
      try {
        await run(bringBack(n), into);
        await run(["diff", "-r", "--no-dereference", path.join(exports, String(n)), await found(into, String(n))], folder);
        return null;
      } catch (error) {
        return String(error).split("\n")[0] ?? "";
      } finally {
        await rm(into, { recursive: true });
      }
    });
    manners.push({ name, bytes, points: numbers.length, back });
    await rm(repository, { recursive: true });
    await rm(path.join(folder, "borg"), { recursive: true, force: true });
  }
  return manners;
}

/** restic brings back the whole path, borg the last part of it. */
async function found(into: string, name: string): Promise<string> {
  const entries = await readdir(into, { recursive: true });
  const entry = entries.find((one) => path.basename(one) === name);
  if (entry === undefined) throw new Error(`nothing was brought back of ${name}`);
  return path.join(into, entry);
}
