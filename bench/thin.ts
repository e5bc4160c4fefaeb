import { execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, open, rm, statfs, truncate, writeFile } from "node:fs/promises";
import path from "node:path";
import { parseArgs, promisify } from "node:util";
import { PAGE, pagemapOf, PRESENT, writePagemap } from "../src/images/pagemap.ts";
import { thin } from "../src/vault/thin.ts";
import { openVault } from "../src/vault/vault.ts";
import { exchangeNames } from "../src/host/exchange.ts";
import { ignore, writeDump } from "../test/integration/vault-pages/image-folders.ts";
import { BASE } from "../test/unit/images/specimens.ts";
import { aManifest, lj } from "../test/unit/vault/specimens.ts";

/**
 * Thin and fold against `cmp`, and `cp` with sync, on the same bytes in the same run; memory held for a sparse generation of 16 GiB. Prints a table
 * and a line of JSON; asserts nothing. `node bench/thin.ts [--quick] [--rounds N] [--only thin|fold] [FOLDER]`; no root needed. Each pair is run in turns, and
 * the fastest of each is taken: what others do on the machine only makes it slower.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: "boolean" }, rounds: { type: "string" }, hold: { type: "string" }, only: { type: "string" } },
});
const quick = values.quick === true;
const run = promisify(execFile);
const name = "pagemap-300.img";
const BLOCK = 8 << 20;

if (values.hold === undefined) await main();
else await hold(values.hold, Number(positionals[0]));

type Row = { readonly what: string; readonly peer: string; readonly ours: number; readonly theirs: number; readonly goal: string };

async function main(): Promise<void> {
  const root = await mkdtemp(path.join(positionals[0] ?? "/var/tmp", "holdfast-bench-thin-"));
  const bytes = (quick ? 128 : 1024) * 2 ** 20;
  const rounds = Number(values.rounds ?? (quick ? 2 : 3));
  try {
    const rows = [
      ...(values.only === "fold" ? [] : await compare(root, bytes, rounds)),
      ...(values.only === "thin" ? [] : await fold(root, bytes, rounds)),
    ];
    const size = (quick ? 1 : 16) * 2 ** 30;
    const held = await resident(size);
    const lines = rows.map(
      ({ what, peer, ours, theirs, goal }) =>
        `| ${what} | ${seconds(ours)} | ${peer} | ${seconds(theirs)} | ${(theirs / ours).toFixed(2)} | ${goal} |`,
    );
    process.stdout.write(
      [
        `${bytes / 2 ** 20} MiB, fastest of ${rounds}`,
        "",
        "| what | s | against | s | times its speed | goal |",
        "|---|---|---|---|---|---|",
        ...lines,
        "",
        `thin of a sparse generation of ${size / 2 ** 30} GiB: ${held.mib.toFixed(0)} MiB resident at most (goal: under 150), ${seconds(held.milliseconds)} s`,
        "",
        JSON.stringify({ bytes, rounds, rows, resident: { bytes: size, ...held } }),
        "",
      ].join("\n"),
    );
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

/** Both files in the page cache, as they are after a dump. */
async function compare(root: string, bytes: number, rounds: number): Promise<readonly Row[]> {
  const at = (each: string): string => path.join(root, each);
  await dump(at("base"), bytes);
  await run("cp", ["-r", at("base"), at("same")]);
  await run("cp", ["-r", at("base"), at("changed")]);
  await rewrite(path.join(at("changed"), "pages-1.img"), bytes, (page) => page % 16 === 0, "noise");
  await run("cp", ["-r", at("base"), at("zeros")]);
  await rewrite(path.join(at("zeros"), "pages-1.img"), bytes, (page) => page % 4 === 0, "zeros");
  const thinOf = (which: string, chain: readonly string[]) => async (): Promise<number> => {
    for (const each of ["staging", "into"]) await rm(at(each), { recursive: true, force: true });
    await run("cp", ["-rl", at(which), at("staging")]);
    await mkdir(at("into"));
    const request = { staging: at("staging"), into: at("into"), chain, parentLink: "../base", zeros: "left-out" } as const;
    return timed(() => thin(request, ignore));
  };
  const cmp = (): Promise<number> =>
    timed(() => run("cmp", [path.join(at("base"), "pages-1.img"), path.join(at("same"), "pages-1.img")]));
  const sha = (): Promise<number> => timed(() => run("sha256sum", [path.join(at("base"), "pages-1.img")]));
  const rows = [
    { what: "thin, all pages equal", peer: "cmp", goal: "0.5", ...(await turns(rounds, thinOf("same", [at("base")]), cmp)) },
    {
      what: "thin, one page in 16 changed",
      peer: "cmp",
      goal: "0.5",
      ...(await turns(rounds, thinOf("changed", [at("base")]), cmp)),
    },
    { what: "a base, moved", peer: "sha256sum", goal: "", ...(await turns(rounds, thinOf("base", []), sha)) },
    {
      what: "a base, a quarter zeros, written without them",
      peer: "sha256sum",
      goal: "",
      ...(await turns(rounds, thinOf("zeros", []), sha)),
    },
  ];
  for (const each of ["base", "same", "changed", "zeros", "staging", "into"]) await rm(at(each), { recursive: true, force: true });
  return rows;
}

/** Point 2 of three goes: 3, with an eighth of its own, takes over the half that 2 holds. */
async function fold(root: string, bytes: number, rounds: number): Promise<readonly Row[]> {
  const folder = path.join(root, "vault");
  const random = (): string => randomBytes(16).toString("hex");
  const options = { path: folder, stagingPath: null, keyPath: null, random, now: Date.now, exchange: exchangeNames };
  const current = path.join(root, "current");
  let kept = 0;
  const ours = async (): Promise<number> => {
    await rm(folder, { recursive: true, force: true });
    const vault = await openVault(options);
    await dump(current, bytes);
    for (const number of [1, 2, 3]) {
      const chosen = number === 2 ? (page: number) => page % 128 < 64 : (page: number) => page % 128 >= 112;
      if (number > 1) await rewrite(path.join(current, "pages-1.img"), bytes, chosen, "noise");
      const making = await vault.prepare(lj, number);
      await run("cp", ["-r", `${current}/.`, making.staging]);
      const { digests, pagesKept } = await vault.thin(making, number === 1 ? null : number - 1, ignore);
      const pages = { scanned: 0, written: 0, skipped: 0, kept: pagesKept };
      const parent = number === 1 ? null : { number: number - 1, id: `id-${number - 1}` };
      await vault.seal(making, aManifest(number, { kind: parent ? "increment" : "base", parent, pages }), digests);
    }
    await run("sync", []);
    const milliseconds = await timed(async () => {
      await vault.fold(lj, 3, 1, ignore);
      await vault.remove(lj, 2);
    });
    kept = (await vault.manifest(lj, 3)).pages.kept;
    await writeFile(path.join(root, "moved"), "");
    await run("sh", ["-c", `head -c ${kept * PAGE} ${current}/pages-1.img > ${root}/moved && sync`]);
    return milliseconds;
  };
  const copy = path.join(root, "copy");
  const theirs = async (): Promise<number> => {
    const milliseconds = await timed(() => run("sh", ["-c", `cp ${root}/moved ${copy} && sync ${copy}`]));
    await rm(copy);
    return milliseconds;
  };
  const found = await turns(rounds, ours, theirs);
  await rm(folder, { recursive: true, force: true });
  return [
    { what: `fold and sweep, ${(kept * PAGE) / 2 ** 20} MiB written`, peer: "cp and sync of as much", goal: "0.7", ...found },
  ];
}

/** In a process of its own: what it holds at most while it thins a sparse generation on a tmpfs, where holes cost nothing. */
async function resident(bytes: number): Promise<{ readonly mib: number; readonly milliseconds: number }> {
  const shm = await statfs("/dev/shm").then(
    () => "/dev/shm",
    () => "/var/tmp",
  );
  const folder = await mkdtemp(path.join(shm, "holdfast-bench-thin-"));
  try {
    for (const each of ["base", "staging"]) {
      await dump(path.join(folder, each), 0);
      const entries = [{ page: BASE, pages: bytes / PAGE, flags: PRESENT }];
      await writeFile(path.join(folder, each, name), writePagemap(pagemapOf(1, entries)));
      await truncate(path.join(folder, each, "pages-1.img"), bytes);
    }
    const child = spawn(process.execPath, [import.meta.filename, "--hold", folder, String(bytes)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let said = "";
    for await (const part of child.stdout) said += String(part);
    return JSON.parse(said) as { mib: number; milliseconds: number };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function hold(folder: string, bytes: number): Promise<void> {
  const into = path.join(folder, "into");
  await mkdir(into);
  const chain = [path.join(folder, "base")];
  const request = { staging: path.join(folder, "staging"), into, chain, parentLink: "../base", zeros: "left-out" } as const;
  const milliseconds = await timed(() => thin(request, ignore));
  process.stdout.write(JSON.stringify({ mib: process.resourceUsage().maxRSS / 1024, milliseconds, of: bytes }));
}

/** A dump of one process with so many random bytes. */
async function dump(folder: string, bytes: number): Promise<void> {
  const entries = bytes === 0 ? [] : [{ page: BASE, pages: bytes / PAGE, flags: PRESENT }];
  await writeDump(folder, [{ name, pagesId: 1, entries, bytes: Buffer.alloc(0) }]);
  const handle = await open(path.join(folder, "pages-1.img"), "w");
  for (let at = 0; at < bytes; at += BLOCK) await handle.write(randomBytes(Math.min(BLOCK, bytes - at)));
  await handle.close();
}

async function rewrite(file: string, bytes: number, isChosen: (page: number) => boolean, what: "noise" | "zeros"): Promise<void> {
  const handle = await open(file, "r+");
  const block = Buffer.alloc(BLOCK);
  const zero = Buffer.alloc(PAGE);
  for (let at = 0; at < bytes; at += BLOCK) {
    await handle.read(block, 0, BLOCK, at);
    const noise = what === "noise" ? randomBytes(BLOCK) : zero;
    for (let page = 0; page < BLOCK / PAGE; page++) {
      if (isChosen(at / PAGE + page))
        block.set(what === "noise" ? noise.subarray(page * PAGE, (page + 1) * PAGE) : zero, page * PAGE);
    }
    await handle.write(block, 0, BLOCK, at);
  }
  await handle.close();
}

async function turns(
  rounds: number,
  ours: () => Promise<number>,
  theirs: () => Promise<number>,
): Promise<{ readonly ours: number; readonly theirs: number }> {
  const best = { ours: Infinity, theirs: Infinity };
  for (let round = 0; round < rounds; round++) {
    best.ours = Math.min(best.ours, await ours());
    best.theirs = Math.min(best.theirs, await theirs());
  }
  return best;
}

async function timed(act: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await act();
  return performance.now() - began;
}

function seconds(milliseconds: number): string {
  return (milliseconds / 1000).toFixed(2);
}
