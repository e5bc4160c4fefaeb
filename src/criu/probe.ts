import os from "node:os";
import { Fault } from "../faults/fault.ts";
import type { CriuFacts } from "../engine/ports.ts";
import { cautions, unfitReason } from "./fit.ts";
import type { Located } from "./locate.ts";
import { run } from "./run.ts";

/** The port's facts, and what `doctor` tells besides. */
export type CriuReport = CriuFacts & {
  readonly source: Located["source"];
  readonly path: string;
  /** What works less well with this CRIU on this kernel, in sentences. */
  readonly cautions: readonly string[];
};

/**
 * Runs CRIU's own checks (a tenth of a second).
 *
 * Soft-dirty is CRIU's feature check, exit status and text both: the kernel takes a write to `clear_refs` even where it
 * tracks nothing, so the write alone proves nothing. Faults: `criu-missing`, `criu-too-old`, `not-root`.
 */
export async function probeCriu(located: Located): Promise<CriuReport> {
  const version = await versionOf(located);
  const checked = await run([...located.command, "check"]);
  if (checked.exitCode !== 0) {
    if (process.geteuid?.() !== 0) throw Fault.of("not-root", { verb: "CRIU's self-check" });
    const why = unfitReason(version, os.release(), `${checked.stdout}\n${checked.stderr}`);
    throw Fault.of("criu-too-old", { version, why }, { cause: checked.stderr });
  }
  return {
    version,
    command: located.command,
    softDirty: await hasSoftDirty(located),
    source: located.source,
    path: located.path,
    cautions: cautions(version, os.release()),
  };
}

/** What `criu --version` says. Fault: `criu-missing` if it does not run at all. */
export async function versionOf(located: Located): Promise<string> {
  const said = await run([...located.command, "--version"]);
  const version = /^Version:\s*(\S+)/m.exec(said.stdout)?.[1];
  if (version === undefined) throw Fault.of("criu-missing", { path: located.path }, { cause: said.stderr });
  return version;
}

async function hasSoftDirty(located: Located): Promise<boolean> {
  const said = await run([...located.command, "check", "--feature", "mem_dirty_track"]);
  return said.exitCode === 0 && /mem_dirty_track is supported/.test(`${said.stdout}\n${said.stderr}`);
}
