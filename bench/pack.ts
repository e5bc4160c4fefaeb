import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, mkdtemp, open, readdir, rm, stat } from "node:fs/promises";
import path from "node:path";
import type { FileDigests } from "../src/domain/manifest.ts";
import { holesIn } from "../src/host/holes.ts";
import { checkPack, unpackInto } from "../src/vault/pack-read.ts";
import { writePack } from "../src/vault/pack-write.ts";
import { buildPrograms } from "../test/platform/build-programs.ts";
import { guard, reboot } from "../test/platform/guard.ts";
import { type Proof, proofs } from "../test/platform/proof-programs.ts";
import { kill, openWorld } from "../test/platform/world.ts";

/**
 * What packing a generation saves and costs, beside `tar | zstd -3` on the same files: ratio, seconds, processor seconds. `node bench/pack.ts
 * [--quick]`, as root; `--quick` leaves out the programs under guard and makes the field smaller. Asserts nothing.
 */
const quick = process.argv.includes("--quick");
const root = await mkdtemp("/var/tmp/holdfast-bench-pack-");
const rows: string[] = [];
try {
  rows.push(...(await measure("a smooth field of doubles with noise", await fieldIn(path.join(root, "field"), quick ? 64 : 512))));
  if (!quick) for (const proof of [proofs.fields, proofs.lammps]) rows.push(...(await guarded(proof)));
} finally {
  await rm(root, { recursive: true, force: true });
}
process.stdout.write(
  `${["| generation | by | bytes | ratio | pack, s (CPU) | read back, s (CPU) | unpack, s (CPU) |", "|---|---|---|---|---|---|---|", ...rows].join("\n")}\n`,
);

/** The base of a proof program's chain. */
async function guarded(proof: Proof): Promise<readonly string[]> {
  const unique = `holdfast-bench-pack-${process.pid}`;
  const world = await openWorld(proof.place);
  try {
    const { started } = await guard(world, proof, await buildPrograms(), unique, 1);
    await kill(started.initPid);
    const folder = path.join(world.vault, "jobs", proof.name, "generations/1");
    await rm(path.join(folder, "holdfast.json"));
    return await measure(proof.name, folder);
  } finally {
    await world.close();
    await reboot(proof, unique);
  }
}

async function measure(name: string, folder: string): Promise<readonly string[]> {
  const digests = await digestsOf(folder);
  const bytes = Object.values(digests).reduce((sum, one) => sum + one.bytes, 0);
  const own = await mkdtemp(path.join(root, "own-"));
  const into = path.join(own, "pack.tar.zst");
  const member = { number: 1, digests, parent: null, folder };
  let packed = { bytes: 0, sha256: "" };
  const wrote = await timed(async () => {
    ({ packed } = await writePack({ member, madeAt: 0, into, holes: holesIn }, () => undefined));
  });
  const inPack = { ...member, folder: own, packed };
  const read = await timed(async () => refuse(await checkPack(inPack, "everything", () => undefined)));
  await mkdir(path.join(own, "out"));
  const unpacked = await timed(async () => refuse(await unpackInto(inPack, path.join(own, "out"), () => undefined)));
  await rm(path.join(own, "out"), { recursive: true });
  const peer = path.join(own, "peer.tar.zst");
  const theirs = [
    shell(`tar -cSC ${folder} . | zstd -q -3 -T1 --check -o ${peer}`),
    shell(`zstd -qt ${peer}`),
    shell(`mkdir ${own}/out && zstd -qdc ${peer} | tar -xC ${own}/out`),
  ];
  const { size } = await stat(peer);
  await rm(own, { recursive: true });
  return [
    line(name, "holdfast pack (with digests)", bytes, packed.bytes, [wrote, read, unpacked]),
    line("", "tar and `zstd -3`", bytes, size, theirs),
  ];
}

type Time = { readonly wall: number; readonly cpu: number };

function line(name: string, by: string, bytes: number, size: number, times: readonly Time[]): string {
  const cells = times.map(({ wall, cpu }) => `${wall.toFixed(2)} (${cpu.toFixed(2)})`);
  return `| ${[name === "" ? "" : `${name}, ${mebibytes(bytes)}`, by, mebibytes(size), (size / bytes).toFixed(3), ...cells].join(" | ")} |`;
}

async function timed(act: () => Promise<void>): Promise<Time> {
  const [began, before] = [performance.now(), process.cpuUsage()];
  await act();
  const { user, system } = process.cpuUsage(before);
  return { wall: (performance.now() - began) / 1000, cpu: (user + system) / 1e6 };
}

function shell(words: string): Time {
  const said = execFileSync("bash", ["-c", `TIMEFORMAT='%R %U %S'; { time { ${words}; } } 2>&1`], {
    encoding: "utf8",
    env: { ...process.env, LC_ALL: "C" },
  });
  const [wall = 0, user = 0, system = 0] = (said.trim().split("\n").at(-1) ?? "").split(" ").map(Number);
  return { wall, cpu: user + system };
}

function refuse(damage: readonly unknown[]): void {
  if (damage.length > 0) throw new Error(JSON.stringify(damage));
}

async function digestsOf(folder: string): Promise<FileDigests> {
  const digests: Record<string, FileDigests[string]> = {};
  for (const name of await readdir(folder, { recursive: true })) {
    const file = path.join(folder, name);
    if (name.startsWith("parent") || !(await stat(file)).isFile()) continue;
    const hash = createHash("sha256");
    for await (const block of createReadStream(file)) hash.update(block as Buffer);
    digests[name] = { bytes: (await stat(file)).size, sha256: hash.digest("hex") };
  }
  return digests;
}

/** What a solver holds: neighbours are alike, and the last bits are noise. */
async function fieldIn(folder: string, mib: number): Promise<string> {
  await mkdir(folder);
  const handle = await open(path.join(folder, "pages-1.img"), "wx");
  const block = new Float64Array(2 ** 17);
  for (let at = 0; at < mib; at++) {
    // A third of a job's memory is often untouched or zero.
    const isBlank = at % 3 === 2;
    for (let i = 0; i < block.length; i++)
      block[i] = isBlank ? 0 : Math.fround(Math.sin((at * block.length + i) / 5000) * 300) + Math.random() * 2 ** -40;
    await handle.write(Buffer.from(block.buffer));
  }
  // Else the first to read it waits for the disk.
  await handle.sync();
  await handle.close();
  return folder;
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
