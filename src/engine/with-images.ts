import { chainBelow } from "../domain/chain-below.ts";
import type { JobName } from "../domain/job.ts";
import { Fault } from "../faults/fault.ts";
import { requireRoom } from "./make-plain.ts";
import type { Ports } from "./ports.ts";
import { allGenerations } from "./queries.ts";

/**
 * Runs `act` with the folder of a point as CRIU reads it: the generation's own, or, if something of its chain is packed, one that is unpacked
 * for the time of it. The caller holds the job's lease. A crash leaves that folder, for `reconcile`. Faults: `space-short`, `point-damaged`,
 * `chain-broken`, `vault-full`.
 */
export async function withImages<T>(ports: Ports, name: JobName, number: number, act: (folder: string) => Promise<T>): Promise<T> {
  const { vault, limits, events } = ports;
  const rows = await allGenerations(ports, name);
  const chain = new Set(chainBelow(number, rows));
  const packed = rows.filter((row) => chain.has(row.number) && row.unpackedBytes !== undefined);
  if (packed.length === 0) return act(vault.generationFolder(name, number));
  const needed = packed.reduce((sum, row) => sum + (row.unpackedBytes ?? 0), 0);
  requireRoom(vault.path, (await vault.freeSpace()).vault - limits.minFreeBytes, needed);
  events.emit({ type: "phase", verb: "unpack", job: name, phase: "unpack" });
  const folder = await vault.unpackAside(name, number, (bytes, total) => {
    events.emit({ type: "progress", verb: "unpack", job: name, bytes, total });
  });
  try {
    return await act(folder);
  } finally {
    // What came back has come back: what cannot be removed now (a full disk, say) goes with the next look at the job.
    await vault.sweepUnpacked(name).catch(passOver);
  }
}

function passOver(error: unknown): void {
  if (!(error instanceof Fault)) throw error;
}
