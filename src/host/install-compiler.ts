import { execa } from "execa";
import { Fault } from "../faults/fault.ts";

/**
 * Installs `gcc` and `libc6-dev` by the system's own apt: for `doctor --fix` on a machine without a compiler. Unlike CRIU these go into
 * the system, where a compiler belongs. Fault: `compiler-missing` where there is no apt, or it fails.
 */
export async function installCompiler(say: (text: string) => void): Promise<void> {
  for (const words of [["update"], ["install", "-y", "--no-install-recommends", "gcc", "libc6-dev"]]) {
    say(`apt-get ${words.join(" ")}`);
    const done = await execa("apt-get", words, {
      reject: false,
      stdin: "ignore",
      env: { DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C" },
    });
    if (done.failed) {
      const why = done.stderr.trim().split("\n").at(-1) || done.shortMessage || "apt-get failed";
      throw Fault.of("compiler-missing", { why }, { cause: done });
    }
  }
}
