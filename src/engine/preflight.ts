import { compareVersions } from "../domain/version.ts";
import type { Generation } from "../domain/generation.ts";
import type { Job } from "../domain/job.ts";
import type { Manifest } from "../domain/manifest.ts";
import { formatSize } from "../domain/size.ts";
import { Fault } from "../faults/fault.ts";
import { markDamaged, stillGood } from "./mark-damaged.ts";
import type { Damage, Ports } from "./ports.ts";
import { points } from "./queries.ts";
import { withImages } from "./with-images.ts";

/**
 * Everything that can be known to be wrong before a restore changes anything: the manifest's seal, every digest and page of the chain,
 * the CRIU, the files. Damage found is written down, so that the point is offered no more.
 */
export async function preflight(ports: Ports, job: Job, point: Generation): Promise<Manifest> {
  return withPoint(ports, job, point, async (manifest) => manifest);
}

/**
 * The same, and then `act` with the point's folder as CRIU reads it: what is packed of its chain is unpacked for the time of it, as
 * {@link withImages} has it.
 */
export async function withPoint<T>(
  ports: Ports,
  job: Job,
  point: Generation,
  act: (manifest: Manifest, folder: string) => Promise<T>,
): Promise<T> {
  const { criu, files } = ports;
  const manifest = await preflightChain(ports, job, point);
  const { version } = await criu.probe();
  if (compareVersions(version, manifest.host.criu) < 0) {
    throw Fault.of("criu-differs", { point: point.number, made: manifest.host.criu, present: version });
  }
  requireMemory(ports, manifest);
  return withImages(ports, job.name, point.number, async (folder) => {
    await files.preflight(manifest.capture, point.number, folder, await laterUndo(ports, job, point));
    return act(manifest, folder);
  });
}

/** Undo folders of the restores since the point's timeline ended, newest first: timelines and runs have the same numbers. */
export async function laterUndo({ vault }: Ports, job: Job, { timeline }: Generation): Promise<readonly string[]> {
  const later = (await vault.runs(job.name)).filter((run) => run.number > timeline).toSorted((a, b) => b.number - a.number);
  return later.map((run) => vault.undoFolder(job.name, run.number));
}

/** A restore that does not fit would meet the kernel's out-of-memory killer, and so might its neighbours. */
function requireMemory({ host }: Ports, { pages }: Manifest): void {
  const needed = (pages.written + pages.skipped) * 4096;
  const free = host.availableMemory();
  if (free < needed)
    throw Fault.of("space-short", { place: "this machine's memory", free: formatSize(free), needed: formatSize(needed) });
}

/** The vault's part of it: the chain is whole, and the manifest is this host's. */
export async function preflightChain(ports: Ports, job: Job, point: Generation): Promise<Manifest> {
  const { vault, events } = ports;
  await requireOwnManifest(ports, job, point);
  const damage = await vault.verifyChain(job.name, point.number, (bytes, total) => {
    events.emit({ type: "progress", verb: "verify", job: job.name, bytes, total });
  });
  if (damage.length > 0) await refuseDamaged(ports, job, point, damage);
  return vault.manifest(job.name, point.number);
}

/** A manifest that is not this host's says nothing that could be believed, not even what to check it against. */
async function requireOwnManifest(ports: Ports, job: Job, point: Generation): Promise<void> {
  try {
    await ports.vault.manifest(job.name, point.number);
  } catch (error) {
    if (!(error instanceof Fault) || error.code !== "manifest-forged") throw error;
    await markDamaged(ports, job.name, [{ number: point.number, file: "holdfast.json", why: error.message }]);
    throw error.because(await stillGood(ports, job.name));
  }
}

async function refuseDamaged(ports: Ports, job: Job, point: Generation, damage: readonly Damage[]): Promise<never> {
  await markDamaged(ports, job.name, damage);
  const [first] = damage;
  const good = (await points(ports, job.name)).at(-1);
  const extra = { stillGood: await stillGood(ports, job.name) };
  if (first && first.number !== point.number) {
    throw Fault.of(
      "chain-broken",
      { point: point.number, job: job.name, parent: `#${first.number}`, why: `damaged (${first.file}: ${first.why})` },
      extra,
    );
  }
  const why = damage.map((one) => `${one.file}: ${one.why}`).join("; ");
  throw Fault.of("point-damaged", { point: point.number, job: job.name, why, other: good?.number ?? "N" }, extra);
}
