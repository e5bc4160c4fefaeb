import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";

/** A Node process that runs one of the programs in `children/`; it says `ready`, waits for a line, then works. */
export type Child = {
  readonly process: ChildProcess;
  /** Comes true when the child has said this word on a line of its own; fails if it ends before. */
  said(word: string): Promise<void>;
  /** Lets it begin. */
  go(): void;
  /** Its exit status (`null` after a signal) and all it wrote. */
  end(): Promise<{ readonly status: number | null; readonly output: string }>;
};

export function startChild(program: string, ...words: readonly string[]): Child {
  const file = path.join(import.meta.dirname, "children", `${program}.ts`);
  const child = spawn(process.execPath, [file, ...words], { stdio: ["pipe", "pipe", "pipe"] });
  let output = "";
  const waiting = new Set<() => void>();
  const hear = (text: Buffer): void => {
    output += text.toString();
    for (const look of waiting) look();
  };
  child.stdout.on("data", hear);
  child.stderr.on("data", hear);
  const closed = once(child, "close");

  async function said(word: string): Promise<void> {
    const heard = new Promise<void>((resolve) => {
      const look = (): void => {
        if (output.split("\n").includes(word)) resolve();
      };
      waiting.add(look);
      look();
    });
    const ended = closed.then(() => {
      if (!output.split("\n").includes(word)) throw new Error(`${program} ended before it said ${word}: ${output}`);
    });
    await Promise.race([heard, ended]);
  }

  return {
    process: child,
    said,
    go: () => child.stdin.end("go\n"),
    async end() {
      await closed;
      return { status: child.exitCode, output };
    },
  };
}

/** Starts as many as asked for, and lets them begin together; gives what each wrote. All must end with 0. */
export async function together(
  count: number,
  program: string,
  words: (at: number) => readonly string[],
): Promise<readonly string[]> {
  const all = Array.from({ length: count }, (_, at) => startChild(program, ...words(at)));
  await Promise.all(all.map(async (child) => child.said("ready")));
  for (const child of all) child.go();
  const ends = await Promise.all(all.map(async (child) => child.end()));
  const bad = ends.find((one) => one.status !== 0);
  if (bad) throw new Error(`${program} ended with ${bad.status}: ${bad.output}`);
  return ends.map((one) => one.output);
}
