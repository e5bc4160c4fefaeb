import { execFile } from "node:child_process";
import path from "node:path";
import { promisify } from "node:util";
import type { TestProject } from "vitest/node";
import type { LabImages } from "./lab.ts";

/** What the lab floor found: the images, or why there are none. */
export type LabReady = { readonly ready: false; readonly why: string } | ({ readonly ready: true } & LabImages);

declare module "vitest" {
  export interface ProvidedContext {
    lab: LabReady;
  }
}

/** Where the built images are kept. */
const cache = process.env["HOLDFAST_TEST_LAB"] ?? "/var/cache/holdfast/lab";

/** vitest's globalSetup: builds what is not built yet. With `HOLDFAST_REQUIRE_LAB=1` a lab that cannot be built is an error. */
export async function setup(project: TestProject): Promise<void> {
  const lab = await prepareLab();
  if (!lab.ready && process.env["HOLDFAST_REQUIRE_LAB"] === "1")
    throw new Error(`HOLDFAST_REQUIRE_LAB=1, but the lab cannot be built: ${lab.why}`);
  if (!lab.ready) process.stderr.write(`lab floor skipped: ${lab.why}\n`);
  project.provide("lab", lab);
}

/** The images, built if they are not; or why there are none. */
export async function prepareLab(): Promise<LabReady> {
  if (process.platform !== "linux" || process.arch !== "x64")
    return { ready: false, why: `needs Linux on x86-64, this is ${process.platform} on ${process.arch}` };
  if (process.geteuid?.() !== 0) return { ready: false, why: "needs root, for the owners of the files in its image" };
  try {
    const { stdout } = await promisify(execFile)("sh", [path.join(import.meta.dirname, "build.sh"), cache], { timeout: 900_000 });
    const [base, code] = ["base", "code"].map((name) => new RegExp(`^${name}=(.+)$`, "m").exec(stdout)?.[1]);
    if (base === undefined || code === undefined) return { ready: false, why: `build.sh said ${stdout}` };
    return { ready: true, base, code, cache };
  } catch (error) {
    const said = error instanceof Error && "stderr" in error ? String(error.stderr) : String(error);
    return { ready: false, why: said.trim().split("\n").slice(-3).join("; ") };
  }
}
