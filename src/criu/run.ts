import { execa } from "execa";

/** What a short program said; `exitCode` is `null` if it could not be started or was ended by a signal. */
export type Said = {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly missing: boolean;
};

/** What CRIU and its helpers may see of the environment: a search path of root's, and messages in English. */
export const plainEnvironment = {
  PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  LC_ALL: "C",
} as const;

/** Runs a short program (never a dump) to its end, at most `seconds`. */
export async function run(words: readonly string[], seconds = 30): Promise<Said> {
  const [file = "", ...rest] = words;
  const done = await execa(file, rest, {
    env: plainEnvironment,
    extendEnv: false,
    stdin: "ignore",
    reject: false,
    timeout: seconds * 1000,
    cwd: "/",
  });
  const missing = done.code === "ENOENT" || done.code === "EACCES";
  return { exitCode: done.exitCode ?? null, stdout: done.stdout, stderr: done.stderr || (done.shortMessage ?? ""), missing };
}
