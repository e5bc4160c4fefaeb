import { readdir } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openCatalogue } from "../../../src/catalogue/open.ts";
import { planTake } from "../../../src/domain/plan-take.ts";
import { openVault } from "../../../src/vault/vault.ts";
import { edits, type Edit } from "./edits.ts";
import { made, other, ROOT, Scene } from "./scene.ts";

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

  describe.each(edits)("$what:", ({ edit, told, lost = [], status, next = "increment", spared = [], swept }) => {
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
        expect(without(await scene.listing(), swept)).toEqual(without(before, swept));
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

function without(listing: Readonly<Record<string, string>>, swept: RegExp | undefined): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(listing).filter(([name]) => !swept?.test(name)));
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
    await vault.prepare(made, 100);
    return kind;
  } catch {
    return "refused";
  } finally {
    await catalogue.close();
  }
}
