import { readFileSync } from "node:fs";
import os from "node:os";
import type { ProcessorReading } from "../domain/generation-cost.ts";
import type { Capacity } from "../domain/takes-at-once.ts";
import type { Host } from "../engine/ports.ts";

/** What this process may use: where a container or a unit has a limit, that. */
export function machineCapacity(): Capacity {
  // Zero, or more than any machine has, where there is no limit.
  const limit = process.constrainedMemory();
  return { cores: os.availableParallelism(), memory: limit > 0 ? Math.min(limit, os.totalmem()) : os.totalmem() };
}

/** Facts of this machine that go into a manifest. */
export const machineHost: Host = {
  kernel: () => os.release(),
  hostname: () => os.hostname(),
  bootId: () => readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim(),
  availableMemory: () => 1024 * Number(/^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync("/proc/meminfo", "utf8"))?.[1] ?? 0),
  processor,
  isRoot: () => process.geteuid?.() === 0,
};

/** `os.cpus` tells milliseconds since boot; what waits for a disk counts as idle there, as it should: others may have the core. */
function processor(): ProcessorReading {
  const cores = os.cpus();
  const busy = cores.reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0);
  const { user, system } = process.cpuUsage();
  return { at: performance.now() * 1000, cores: cores.length, busy: busy * 1000, own: user + system };
}
