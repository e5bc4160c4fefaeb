import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { compose, type Engine } from "../../../src/compose.ts";
import { expire } from "../../../src/engine/expire.ts";
import { findJob } from "../../../src/engine/find-job.ts";
import { hold } from "../../../src/engine/hold.ts";
import { withJobLease } from "../../../src/engine/lease.ts";
import type { Ports } from "../../../src/engine/ports.ts";
import { allGenerations, points } from "../../../src/engine/queries.ts";
import { reconcile } from "../../../src/engine/reconcile.ts";
import { verify } from "../../../src/engine/verify.ts";
import { readSettings } from "../../../src/settings/read.ts";
import { machineDisk } from "../../../src/vault/machine-disk.ts";
import { openVault } from "../../../src/vault/vault.ts";
import { made, makeChain, pagesIn } from "./made-chain.ts";

/**
 * One process of the hundred folds: it proves what the one before left when it was killed, puts the vault back as it was, and begins a pass in
 * which it is killed itself. Asked by messages `make`, `prove`, `begin`; answers each with one `{ done }` (milliseconds) or `{ failed }`, and says `{ done }` when it is up.
 */
const [root = "", how = "exchange"] = process.argv.slice(2);
const COUNT = 9;
const KEPT = [3, 6, 8, 9];
const [vaultFolder, catalogueFile, expected] = ["vault", "catalogue.sqlite", "pages.json"].map((name) => path.join(root, name)) as [
  string,
  string,
  string,
];
const generations = path.join(vaultFolder, "jobs", made, "generations");
let opened: Engine | null = null;

const settings = () =>
  readSettings({
    file: null,
    env: {},
    flags: { "vault.path": vaultFolder, catalogue: catalogueFile, "criu.path": "/nowhere/criu" },
  });

/** The product as it is; where two renames are asked for, on a file system that cannot exchange names, with some time between the two. */
async function open(): Promise<Ports> {
  opened ??= await compose(settings());
  if (how === "exchange") return opened.ports;
  const disk = machineDisk(null);
  const slow = {
    ...disk,
    rename: (from: string, to: string) => disk.rename(from, to).then(() => wait(to.includes("/.old-") ? 80 : 0)),
  };
  const random = (): string => opened?.ports.ids.random() ?? "";
  return {
    ...opened.ports,
    vault: await openVault({ path: vaultFolder, stagingPath: null, keyPath: null, random, now: () => 77 }, slow),
  };
}

async function close(): Promise<void> {
  await opened?.close();
  opened = null;
}

async function make(): Promise<void> {
  await makeChain(vaultFolder, COUNT, 49);
  const ports = await open();
  const job = { ...(await findJob(ports, made)), keep: "last=2" };
  await ports.vault.writeJob(job);
  await ports.catalogue.putJob(job);
  for (const number of [3, 6]) await hold(ports, made, number, true, null);
  await close();
  await writeFile(expected, JSON.stringify(await digests()));
  await cp(vaultFolder, path.join(root, "original"), { recursive: true, verbatimSymlinks: true });
  await cp(catalogueFile, path.join(root, "original.sqlite"));
}

/** The vault and the catalogue as they were before the first pass. */
async function asItWas(): Promise<void> {
  await close();
  for (const file of [catalogueFile, `${catalogueFile}-wal`, `${catalogueFile}-shm`]) await rm(file, { force: true });
  await rm(vaultFolder, { recursive: true, force: true });
  // Hard links: a vault never writes into a file that is there.
  execFileSync("cp", ["-al", path.join(root, "original"), vaultFolder]);
  await cp(path.join(root, "original.sqlite"), catalogueFile);
  execFileSync("sync", ["-f", vaultFolder]);
}

/** One word for all pages of each point that lies there: which page holds which bytes, followed by the links on the disk. */
async function digests(): Promise<Readonly<Record<string, string>>> {
  const found = Object.entries(await pagesIn(vaultFolder)).map(([number, memories]) => {
    const listed = (memories as [string, Map<number, string>][]).map(([name, pages]) => [name, [...pages]]);
    return [number, createHash("sha256").update(JSON.stringify(listed)).digest("hex")] as const;
  });
  return Object.fromEntries(found);
}

async function sameBytes(when: string): Promise<void> {
  const before = JSON.parse(await readFile(expected, "utf8")) as Readonly<Record<string, string>>;
  for (const [number, now] of Object.entries(await digests())) {
    if (now !== before[number]) throw new Error(`${when}, point ${number} has other bytes than it had`);
  }
}

/** Every point that is offered, and no kept one less, is there with the bytes it had; nothing else lies about. */
async function sound(ports: Ports, when: string, wanted: readonly number[]): Promise<void> {
  const offered = (await points(ports, made)).map((one) => one.number);
  for (const number of wanted) if (!offered.includes(number)) throw new Error(`${when}, point ${number} is not offered`);
  await sameBytes(when);
  const { damage } = await verify(ports, made, null);
  if (damage.length > 0) throw new Error(`${when}, ${JSON.stringify(damage)}`);
  const bad = (await allGenerations(ports, made)).filter((one) => one.state === "damaged");
  if (bad.length > 0) throw new Error(`${when}, ${bad.map((one) => `${one.number}: ${one.reason}`).join("; ")}`);
  const job = path.dirname(generations);
  const lying = [...(await readdir(generations)), ...(await readdir(job)), ...(await readdir(path.join(vaultFolder, ".staging")))];
  const left = lying.filter((name) => name.startsWith("."));
  if (left.length > 0) throw new Error(`${when}, ${left.join(" ")} was left behind`);
}

async function prove(): Promise<void> {
  // With one exchange whatever is there reads as it did before anybody has put anything right.
  if (how === "exchange") await sameBytes("after the kill");
  const ports = await open();
  await withJobLease(ports, made, "tend", async () => reconcile(ports, await findJob(ports, made)));
  await sound(ports, "after reconcile", KEPT);
  await expire(ports, made, "UTC", "perform");
  await sound(ports, "after the next pass", KEPT);
  const there = (await readdir(generations)).map(Number).toSorted((a, b) => a - b);
  if (there.join() !== KEPT.join()) throw new Error(`after the next pass, ${there.join(" ")} are there`);
  await asItWas();
  await open();
}

async function begin(): Promise<void> {
  await expire(await open(), made, "UTC", "perform");
}

const deeds: Readonly<Record<string, () => Promise<void>>> = { make, prove, begin };
process.on("message", (word: string) => {
  const began = performance.now();
  void (deeds[word] ?? make)().then(
    () => process.send?.({ done: performance.now() - began }),
    (error: unknown) => process.send?.({ failed: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  );
});
process.send?.({ done: 0 });
