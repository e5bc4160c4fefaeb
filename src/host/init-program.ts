import { createHash } from "node:crypto";
import { access, mkdir, mkdtemp, readFile, rename, rm, symlink } from "node:fs/promises";
import path from "node:path";
import { execa } from "execa";
import { Fault } from "../faults/fault.ts";

/** The two names of the one static program: pid 1 of a job, and CRIU's action script. */
export type InitProgram = { readonly init: string; readonly hook: string };

/**
 * The init built from `init.c`, cached under `cacheRoot` by the source's digest; a package carries it built, and then no
 * compiler is asked. Two builders at once end with the same file: each builds aside and renames.
 * Faults: `compiler-missing`.
 */
export async function initProgram(cacheRoot: string): Promise<InitProgram> {
  const packed = path.join(import.meta.dirname, "../../runtime/holdfast-init");
  if (await exists(packed)) return { init: packed, hook: path.join(path.dirname(packed), "holdfast-hook") };
  const source = path.join(import.meta.dirname, "init.c");
  const digest = createHash("sha256")
    .update(await readFile(source))
    .digest("hex")
    .slice(0, 16);
  const folder = path.join(cacheRoot, `init-${digest}`);
  const program = { init: path.join(folder, "holdfast-init"), hook: path.join(folder, "holdfast-hook") };
  if (await exists(program.hook)) return program;
  await build(source, cacheRoot, folder);
  return program;
}

async function build(source: string, cacheRoot: string, folder: string): Promise<void> {
  await mkdir(cacheRoot, { recursive: true });
  const aside = await mkdtemp(path.join(cacheRoot, ".init-"));
  try {
    const out = path.join(aside, "holdfast-init");
    // Static: it runs in the job's mount namespace, whatever libraries are there by then.
    const done = await execa("cc", ["-std=gnu17", "-O2", "-static", "-o", out, source], { reject: false, stdin: "ignore" });
    if (done.failed) {
      throw Fault.of("compiler-missing", { why: done.stderr.split("\n")[0] || done.shortMessage || "cc failed" }, { cause: done });
    }
    await symlink("holdfast-init", path.join(aside, "holdfast-hook"));
    await rename(aside, folder).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
    });
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
