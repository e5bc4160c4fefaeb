import { chainBelow } from "../domain/chain-below.ts";
import type { JobName } from "../domain/job.ts";
import { formatSize } from "../domain/size.ts";
import { Fault } from "../faults/fault.ts";
import { rowOf } from "./generation-of.ts";
import type { Pace, Ports } from "./ports.ts";
import { allGenerations } from "./queries.ts";
import { readBack } from "./verify.ts";

const damagedData = 13;

/**
 * Unpacks those of the numbers that are packed, durably, oldest first, for a caller that holds the job's lease and is about to have them
 * rewritten or read by CRIU; gives their numbers. A crash leaves each packed or unpacked, and the next call goes on. Damage that is met is
 * written down. Faults: `space-short`, `point-damaged`, `vault-full`.
 */
export async function makePlain(ports: Ports, name: JobName, numbers: readonly number[], pace?: Pace): Promise<readonly number[]> {
  const { vault, catalogue, limits, events } = ports;
  const packed = (await allGenerations(ports, name)).filter(
    (row) => numbers.includes(row.number) && row.unpackedBytes !== undefined,
  );
  if (packed.length === 0) return [];
  const needed = packed.reduce((sum, row) => sum + (row.unpackedBytes ?? 0), 0);
  requireRoom(vault.path, (await vault.freeSpace()).vault - limits.minFreeBytes, needed);
  const progress = (bytes: number, total: number): void =>
    events.emit({ type: "progress", verb: "unpack", job: name, bytes, total });
  for (const { number } of packed) {
    try {
      await vault.unpack(name, number, progress, pace);
    } catch (error) {
      if (error instanceof Fault && error.exitStatus === damagedData) await readBack(ports, name, [number], pace);
      throw error;
    }
    await catalogue.putGeneration(rowOf(await vault.manifest(name, number), await vault.readMarks(name)));
  }
  return packed.map(({ number }) => number);
}

/** The same for a generation and all it stands on. */
export async function makeChainPlain(ports: Ports, name: JobName, number: number, pace?: Pace): Promise<readonly number[]> {
  return makePlain(ports, name, chainBelow(number, await allGenerations(ports, name)), pace);
}

export function requireRoom(place: string, free: number, needed: number): void {
  if (free >= needed) return;
  throw Fault.of("space-short", { place, free: formatSize(Math.max(0, free)), needed: formatSize(needed) });
}
