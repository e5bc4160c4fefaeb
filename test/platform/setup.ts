import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import path from "node:path";
import type { TestProject } from "vitest/node";
import { buildPrograms } from "./build-programs.ts";
import { child } from "./child.ts";
import { installPackages } from "./packages.ts";

/** What the platform floor found: everything it needs, or why it cannot run here. */
export type Platform =
  | { readonly ready: false; readonly why: string }
  | {
      readonly ready: true;
      /** Folder of the compiled programs, scripts and inputs. */
      readonly programs: string;
      /** The words to put before CRIU's own arguments. */
      readonly criu: readonly string[];
    };

declare module "vitest" {
  export interface ProvidedContext {
    platform: Platform;
  }
}

export const launcher = path.join(import.meta.dirname, "../../bin/holdfast");

/** vitest's globalSetup: makes the machine ready by itself, once; quick when it already is. */
export async function setup(project: TestProject): Promise<void> {
  const platform = await prepare().catch((error: unknown): Platform => ({ ready: false, why: String(error) }));
  if (!platform.ready && process.env["HOLDFAST_REQUIRE_CRIU"] === "1") {
    throw new Error(`HOLDFAST_REQUIRE_CRIU=1, but the platform floor cannot run: ${platform.why}`);
  }
  if (!platform.ready) process.stderr.write(`platform floor skipped: ${platform.why}\n`);
  project.provide("platform", platform);
}

async function prepare(): Promise<Platform> {
  if (process.platform !== "linux") return { ready: false, why: `needs Linux, this is ${process.platform}` };
  if (process.geteuid?.() !== 0) return { ready: false, why: "needs root" };
  const missing = await installPackages();
  if (missing !== null) return { ready: false, why: missing };
  if (!existsSync(launcher)) return { ready: false, why: "there is no bin/holdfast" };
  let found = await doctor([]);
  if (typeof found === "string") found = await doctor(["--fix"]);
  if (typeof found === "string") return { ready: false, why: `\`holdfast doctor --fix\` made no CRIU work here: ${found}` };
  return { ready: true, programs: await buildPrograms(), criu: found };
}

/** The command of a CRIU that works here, or why there is none. The vault the doctor looks at is a folder of its own. */
async function doctor(words: readonly string[]): Promise<readonly string[] | string> {
  const vault = await mkdtemp("/var/tmp/holdfast-test-doctor-");
  try {
    const { stdout, stderr } = await child([launcher, "doctor", ...words, "--json", "--quiet"], {
      env: { HOLDFAST_VAULT: vault },
      seconds: 300,
    });
    if (stdout === "") return stderr;
    const said = JSON.parse(stdout) as DoctorDocument;
    return said.works === true && said.criu?.command ? said.criu.command : (said.fault?.message ?? stdout);
  } finally {
    await rm(vault, { recursive: true, force: true });
  }
}

type DoctorDocument = {
  readonly works?: boolean;
  readonly criu?: { readonly command?: readonly string[] };
  readonly fault?: { readonly message: string };
};
