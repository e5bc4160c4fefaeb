import { execa } from "execa";
import { Fault } from "../faults/fault.ts";
import { lockedStatus } from "./arguments.ts";

/**
 * Takes an exclusive lock by util-linux's `flock`, waiting at most ten minutes; gives the function that lets it go. A holder that dies
 * lets go too: its end of the pipe closes. Faults: `tool-missing`, `criu-install-failed` when the wait is over.
 */
export async function holdLock(file: string, onWait: () => void): Promise<() => Promise<void>> {
  const words = [
    "--timeout",
    "600",
    "--conflict-exit-code",
    String(lockedStatus),
    file,
    "sh",
    "-c",
    "echo held; exec cat >/dev/null",
  ];
  const holder = execa("flock", words, { stdin: "pipe", stdout: "pipe", stderr: "ignore", buffer: false, reject: false });
  const waiting = setTimeout(onWait, 500);
  const held = new Promise<"held">((resolve) => {
    holder.stdout.once("data", () => resolve("held"));
  });
  const done = await Promise.race([held, holder]).finally(() => clearTimeout(waiting));
  if (done === "held") return release;
  if (done.code === "ENOENT") throw Fault.of("tool-missing", { tool: "flock", package: "util-linux" });
  throw Fault.of("criu-install-failed", {
    why: "another installation does not end",
    advice: "look what it waits for, then try again",
  });

  async function release(): Promise<void> {
    holder.stdin.end();
    await holder;
  }
}
