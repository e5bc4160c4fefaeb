import { spawn } from "node:child_process";

/** How a child process ended. `status`: its exit status, or 128 and the signal's number, as a shell has it. */
export type Ended = { readonly status: number; readonly stdout: string; readonly stderr: string };

type Options = { readonly cwd?: string; readonly env?: Readonly<Record<string, string>>; readonly seconds?: number };

const numbers: Readonly<Record<string, number>> = { SIGKILL: 9, SIGTERM: 15, SIGSEGV: 11, SIGABRT: 6, SIGINT: 2 };

/** Runs a program to its end; never throws for a status. After `seconds` (default 120) it is killed and this throws. */
export function child(words: readonly string[], options: Options = {}): Promise<Ended> {
  const [file = "", ...rest] = words;
  return new Promise((resolve, reject) => {
    const started = spawn(file, rest, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const seconds = options.seconds ?? 120;
    let late = false;
    const watchdog = setTimeout(() => {
      late = true;
      started.kill("SIGKILL");
    }, seconds * 1000);
    const [out, err]: [Buffer[], Buffer[]] = [[], []];
    started.stdout.on("data", (part: Buffer) => out.push(part));
    started.stderr.on("data", (part: Buffer) => err.push(part));
    started.on("error", reject);
    started.on("close", (code, signal) => {
      clearTimeout(watchdog);
      const [stdout, stderr] = [Buffer.concat(out).toString(), Buffer.concat(err).toString()];
      if (late) reject(new Error(`${words.join(" ")}: not done after ${seconds} s\n${stdout}\n${stderr}`));
      else resolve({ status: code ?? 128 + (numbers[signal ?? ""] ?? 0), stdout, stderr });
    });
  });
}

/** As {@link child}, and a status other than 0 is an error with all that was said. */
export async function succeed(words: readonly string[], options: Options = {}): Promise<string> {
  const ended = await child(words, options);
  if (ended.status !== 0) throw new Error(`${words.join(" ")} ended with ${ended.status}\n${ended.stdout}\n${ended.stderr}`);
  return ended.stdout;
}
