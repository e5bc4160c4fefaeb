import { readFileSync } from "node:fs";
import os from "node:os";
import type { Host } from "../engine/ports.ts";

/** Facts of this machine that go into a manifest. */
export const machineHost: Host = {
  kernel: () => os.release(),
  hostname: () => os.hostname(),
  bootId: () => readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim(),
  availableMemory: () => 1024 * Number(/^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync("/proc/meminfo", "utf8"))?.[1] ?? 0),
  isRoot: () => process.geteuid?.() === 0,
};
