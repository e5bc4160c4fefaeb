import { createHash } from "node:crypto";
import { closeSync, openSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { boot, reboot } from "./guard.ts";
import type { Proof } from "./proof-programs.ts";

/** What a run of a program left: sha256 and length of each output (its lines, where some are left out), and of standard output. */
export type Outputs = Readonly<Record<string, string>>;

/** The program run to its end without Holdfast and without pauses; gives its outputs. Its status must be the one it promises. */
export async function undisturbed(proof: Proof, programs: string, unique: string): Promise<Outputs> {
  const cwd = await mkdtemp("/var/tmp/holdfast-test-undisturbed-");
  const stdout = path.join(cwd, ".stdout");
  try {
    await goFast(cwd);
    await boot(proof, unique);
    const [file = "", ...words] = proof.command(programs, unique);
    const out = openSync(stdout, "a");
    const started = spawn(file, words, {
      cwd,
      env: { ...process.env, ...proof.env?.(unique) },
      stdio: ["ignore", out, out],
      timeout: 240_000,
    });
    closeSync(out);
    const [status, signal] = (await once(started, "exit")) as [number | null, string | null];
    if (status !== proof.status)
      throw new Error(`undisturbed ${proof.name} ended with ${status ?? signal}: ${await readFile(stdout, "utf8")}`);
    return await readOutputs(proof, cwd, stdout);
  } finally {
    await rm(cwd, { recursive: true, force: true });
    await reboot(proof, unique);
  }
}

export async function readOutputs(proof: Proof, cwd: string, stdout: string): Promise<Outputs> {
  const found: Record<string, string> = {};
  for (const name of proof.outputs)
    found[name] = await digest(path.join(cwd, name), proof.ignore?.file === name ? proof.ignore.lines : null);
  if (proof.stdout === "compared") found["standard output"] = await digest(stdout, null);
  return found;
}

/** From now on a program in this folder makes no pauses; what it computes and writes stays the same. */
export async function goFast(cwd: string): Promise<void> {
  await writeFile(path.join(cwd, "fast"), "");
}

async function digest(file: string, ignore: RegExp | null): Promise<string> {
  const content: Buffer | string = await readFile(file).catch((error: unknown) => `cannot be read: ${String(error)}`);
  if (ignore) {
    const lines = content.toString().split("\n");
    return lines.filter((line) => !ignore.test(line)).join("\n");
  }
  return `${content.length} bytes, sha256 ${createHash("sha256").update(content).digest("hex")}`;
}
