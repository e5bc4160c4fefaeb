import { access, chown, constants, open, stat } from "node:fs/promises";
import path from "node:path";
import type { Job } from "../domain/job.ts";
import { Fault } from "../faults/fault.ts";

/** The working directory must be there. Fault: `command-missing`. */
export async function requireFolder(cwd: string): Promise<void> {
  const found = await stat(cwd).catch(() => null);
  if (!found?.isDirectory()) throw Fault.of("command-missing", { command: cwd, why: "the working directory is not there" });
}

/** Looks for the program as `execvp` would, in the job's own PATH. Fault: `launch-failed`. */
export async function requireCommand({ name, command, cwd, env }: Job): Promise<void> {
  const [file = ""] = command;
  const folders = file.includes("/") ? [cwd] : (env["PATH"] ?? "/bin:/usr/bin").split(":");
  for (const folder of folders) if (await runs(path.resolve(cwd, folder, file))) return;
  throw Fault.of("launch-failed", {
    job: name,
    why: `cannot run ${file}: there is no such program`,
    advice: "check the command and its path",
  });
}

/** A program of util-linux, wherever the job's own PATH points. Fault: `tool-missing`. */
export async function systemTool(name: string): Promise<string> {
  for (const folder of ["/usr/bin", "/bin", "/usr/sbin", "/sbin"]) if (await runs(`${folder}/${name}`)) return `${folder}/${name}`;
  throw Fault.of("tool-missing", { tool: name, package: "util-linux" });
}

/** Makes the file a stream goes to; a new one is the user's, one that was there stays whose it is. Fault: `io-failed`. */
export async function makeStream(file: string, user: { readonly uid: number; readonly gid: number } | null): Promise<void> {
  if (file === "/dev/null") return;
  const failed = (error: NodeJS.ErrnoException): never => {
    throw Fault.of("io-failed", { what: `opening ${file}`, why: error.message }, { cause: error });
  };
  const made = await open(file, "ax", 0o640).catch((error: NodeJS.ErrnoException) =>
    error.code === "EEXIST" ? null : failed(error),
  );
  const handle = made ?? (await open(file, "a").catch(failed));
  await handle.close();
  if (made && user) await chown(file, user.uid, user.gid);
}

async function runs(file: string): Promise<boolean> {
  const [isFile, mayRun] = await Promise.all([
    stat(file).then(
      (found) => found.isFile(),
      () => false,
    ),
    access(file, constants.X_OK).then(
      () => true,
      () => false,
    ),
  ]);
  return isFile && mayRun;
}
