import { execFileSync } from "node:child_process";
import { copyFile, cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openCatalogue } from "../../../src/catalogue/open.ts";
import { planTake } from "../../../src/domain/plan-take.ts";
import { openVault } from "../../../src/vault/vault.ts";
import { aRun } from "../../unit/vault/specimens.ts";
import { edits, type Edit } from "./edits.ts";
import { made, other, ROOT, Scene } from "./scene.ts";

/** Nothing that lies there was changed: only a name, a manifest or a small file. */
const putBack: ReadonlySet<string> = new Set([
  "the base's directory deleted",
  "the newest one's directory deleted",
  "a directory renamed to another number",
  "two directories swapped by name",
  "a manifest deleted",
  "a manifest edited",
  "a manifest scribbled",
  "the key replaced",
  "the whole job directory renamed",
]);

// `verify` is root's.
describe.skipIf(process.geteuid?.() !== 0)("a vault edited by hand", () => {
  let original: Scene;
  beforeAll(async () => {
    original = await Scene.make();
  });
  afterAll(() => original.remove());

  async function edited(edit: Edit["edit"], check: (scene: Scene) => Promise<void>): Promise<void> {
    const scene = await original.copy();
    try {
      await edit(scene);
      await check(scene);
    } finally {
      await scene.remove();
    }
  }

  describe.each(edits)("$what:", ({ edit, told, lost = [], status, next = "increment", spared = [], apart }) => {
    const left = [1, 2, 3, 4, 5].filter((number) => !lost.includes(number));
    const after = status ?? (lost.length > 0 || told.some((one) => /point/.test(one.source)) ? 13 : 0);

    test("a look changes nothing, `verify` names it, and what is offered then restores", async () => {
      await edited(edit, async (scene) => {
        const before = await scene.listing();
        const looked = [];
        for (const words of [["points", made], ["points", made, "--all"], ["status"], ["expire", made, "--dry-run"], ["du", made]])
          looked.push(await scene.run(...words));
        expect(looked.filter((one) => one.status === 1)).toEqual([]);
        expect(await scene.listing()).toEqual(before);

        const verified = await scene.run("verify", made);
        const text = [verified.said, (await scene.run("points", made, "--all")).said].join("\n");
        for (const one of told) expect(verified.said).toMatch(one);
        expect([verified.status, text]).toEqual([after, expect.anything()]);
        expect(without(await scene.listing(), apart)).toEqual(without(before, apart));
        expect(await scene.offered(made)).toEqual(left);
        await restores(scene);
      });
    });

    test("what others hold is as good as before", async () => {
      await edited(edit, async (scene) => {
        await scene.run("verify", made);
        if (!told.some((one) => /key/.test(one.source))) expect((await scene.run("verify", other)).status).toBe(0);
        expect(await scene.offered(other)).toEqual([1, 2]);
      });
    });

    test(`the next take is ${next}`, async () => {
      await edited(edit, async (scene) => {
        await scene.run("verify", made);
        expect(await nextTake(scene)).toBe(next);
      });
    });

    test("a pass that keeps the newest point alone deletes nothing that damage stands on", async () => {
      await edited(edit, async (scene) => {
        await scene.run("verify", made);
        await scene.run("expire", made);
        const there = await readdir(scene.of("")).catch(() => []);
        expect(there).toEqual(expect.arrayContaining(spared.map(String)));
        await restores(scene);
      });
    });
  });

  test.each(edits.filter(({ what }) => putBack.has(what)))(
    "$what, verified, and put back as it was, is as if nothing had happened",
    async ({ edit }) => {
      await edited(edit, async (scene) => {
        await scene.run("verify", made);
        await rm(scene.vault, { recursive: true });
        execFileSync("cp", ["-a", original.vault, scene.vault]);
        expect((await scene.run("verify", made)).status).toBe(0);
        expect(await scene.offered(made)).toEqual([1, 2, 3, 4, 5]);
        expect(await nextTake(scene)).toBe("increment");
        expect((await scene.run("verify", made)).said).toBe("made: 5 points read back, all whole\n");
      });
    },
  );

  test("a catalogue of an older day learns what was folded, withdrawn and held since", async () => {
    await edited(
      async (scene) => {
        await copyFile(scene.catalogue, `${scene.folder}/old.sqlite`);
        await scene.run("hold", made, "--point", "3", "--quiet");
        expect((await scene.run("expire", made)).status).toBe(0);
        expect((await readdir(scene.of(""))).toSorted()).toEqual(["3", "5"]);
        await copyFile(`${scene.folder}/old.sqlite`, scene.catalogue);
      },
      async (scene) => {
        const { status, said } = await scene.run("verify", made);
        expect(said).toMatch(/corrected the row of point 3\b/);
        expect([status, await scene.offered(made)]).toEqual([13, [3, 5]]);
        await scene.run("expire", made);
        expect(await scene.offered(made)).toEqual([3, 5]);
        await restores(scene);
      },
    );
  });

  test("a job directory of an older day leads to a base, and to no number used twice", async () => {
    await edited(
      async (scene) => {
        await rm(scene.of(5), { recursive: true });
        await writeFile(
          scene.at(made, "head.json"),
          (await readFile(scene.at(made, "head.json"), "utf8")).replaceAll(/5(?=[,"])/g, "4"),
        );
      },
      async (scene) => {
        expect(await nextTake(scene)).toBe("increment");
        expect((await scene.run("verify", made)).said).toMatch(/no number up to 5 is used again/);
        expect(await nextTake(scene)).toBe("base");
        expect(await (await vaultOf(scene)).readHead(made)).toMatchObject({ lastNumber: 5 });
      },
    );
  });

  test("a run whose record was deleted is not taken for one that was cut off: its files are not put back", async () => {
    await edited(
      async (scene) => {
        const run = aRun(2, { root: ROOT, init: null, from: 1 });
        const { catalogue } = await openCatalogue({ file: scene.catalogue });
        await catalogue.putRun(made, run);
        await catalogue.close();
        await mkdir(scene.at(made, "runs", 2));
        await mkdir(scene.at(made, "undo", 2), { recursive: true });
      },
      async (scene) => {
        expect((await scene.run("verify", made)).said).toMatch(/wrote down run 2 again/);
        expect(await readdir(scene.at(made, "undo"))).toEqual(["2"]);
        expect((await (await vaultOf(scene)).runs(made)).map(({ number }) => number)).toEqual([1, 2]);
      },
    );
  });

  test.each([
    ["the key replaced", (scene: Scene) => writeFile(`${scene.vault}/key`, `${"ab".repeat(32)}\n`)],
    ["the key deleted", (scene: Scene) => rm(`${scene.vault}/key`)],
  ])("with %s, a lost catalogue is not built anew with everything damaged", async (_, spoil) => {
    await edited(spoil, async (scene) => {
      await rm(scene.catalogue);
      for (const words of [
        ["catalogue", "rebuild"],
        ["points", made],
      ]) {
        const { status, said } = await scene.run(...words);
        expect([status, said]).toEqual([13, expect.stringContaining("[key-unusable]")]);
      }
      await copyFile(`${original.vault}/key`, `${scene.vault}/key`);
      expect((await scene.run("catalogue", "rebuild")).status).toBe(0);
      expect(await scene.offered(made)).toEqual([1, 2, 3, 4, 5]);
    });
  });

  test.each([
    [
      "job.json scribbled",
      (scene: Scene) => writeFile(scene.at(made, "job.json"), "{"),
      made,
      "job.json in the vault cannot be read",
    ],
    [
      "its directory copied under another name",
      (scene: Scene) => cp(scene.at(made), scene.at("made.bak"), { recursive: true, verbatimSymlinks: true }),
      "made.bak",
      "that of job made",
    ],
  ])(
    "with %s, a lost catalogue is built anew with all other jobs, and what was passed over is named",
    async (_, spoil, name, why) => {
      await edited(spoil, async (scene) => {
        await rm(scene.catalogue);
        const { status, said } = await scene.run("catalogue", "rebuild");
        expect([status, said]).toEqual([13, expect.stringContaining(`passed over: ${name}: `)]);
        expect(said).toContain(why);
        expect(await scene.offered(other)).toEqual([1, 2]);
        const asked = await scene.run("points", name);
        expect([asked.status, asked.said]).toEqual([13, expect.stringContaining(why)]);
      });
    },
  );

  async function restores(scene: Scene): Promise<void> {
    const vault = await vaultOf(scene);
    for (const job of [made, other]) {
      for (const number of await scene.offered(job)) {
        const damage = await vault.verifyChain(job, number, () => undefined).catch((error: Error) => error.message);
        if (typeof damage !== "string" || !damage.includes("key"))
          expect({ job, number, damage }).toEqual({ job, number, damage: [] });
      }
    }
  }
});

function without(listing: Readonly<Record<string, string>>, apart: RegExp | undefined): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(listing).filter(([name]) => !apart?.test(name)));
}

function vaultOf(scene: Scene) {
  return openVault({ path: scene.vault, stagingPath: null, keyPath: null, random: () => "", now: () => 77 });
}

/** As a take of the process that was there at the last generation would plan. */
async function nextTake(scene: Scene): Promise<string> {
  const vault = await vaultOf(scene);
  const { catalogue } = await openCatalogue({ file: scene.catalogue });
  try {
    const present = new Set(await vault.sealed(made));
    const generations = (await catalogue.generations(made)).filter((one) => present.has(one.number));
    const { bits } = await vault.readHead(made);
    const facts = { bits, root: ROOT, run: 1, criu: "4.2.1", tracking: "compare", maxChain: 24, generations } as const;
    const { kind } = planTake({ ...facts, dedup: "exact", restoredFrom: new Set() });
    await vault.discard(await vault.prepare(made, 100));
    return kind;
  } catch {
    return "refused";
  } finally {
    await catalogue.close();
  }
}
