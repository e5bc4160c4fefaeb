import { chmod, copyFile, mkdir, readdir, readFile, truncate } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { child } from "../child.ts";
import { type Guarded, guard, pointsOf, reboot } from "../guard.ts";
import { goFast, type Outputs, readOutputs, undisturbed } from "../outputs.ts";
import { proofs } from "../proof-programs.ts";
import { gone, kill, openWorld, type RestoreDocument, type StatusDocument, type TakeDocument, type World } from "../world.ts";

const platform = inject("platform");
const PACK = "pack.tar.zst";
const proof = proofs.single;
const unique = `holdfast-test-packed-${process.pid}`;

type PackDocument = {
  readonly pack: readonly { readonly number: number }[];
  readonly left: readonly { readonly number: number; readonly why: string }[];
  readonly done: readonly { readonly number: number; readonly bytesBefore: number; readonly bytesAfter: number }[] | null;
};
type Manifest = {
  readonly restoreOptions: readonly string[];
  readonly capture: {
    readonly files: readonly {
      readonly path: string;
      readonly size: number;
      readonly mode: number;
      readonly stored: string | null;
    }[];
  };
};

describe.skipIf(!platform.ready)("packed points of a real program", () => {
  const { programs, criu } = platform.ready ? platform : { programs: "", criu: [] };
  let world: World;
  let guarded: Guarded;
  let expected: Outputs;
  const generation = (number: number) => path.join(world.vault, "jobs", proof.name, "generations", String(number));
  const hidden = async () => (await readdir(path.join(world.vault, "jobs", proof.name))).filter((name) => name.startsWith("."));

  beforeAll(async () => {
    expected = await undisturbed(proof, programs, unique);
    await reboot(proof, unique);
    world = await openWorld(proof.place);
    guarded = await guard(world, proof, programs, unique, 3);
  });
  afterAll(async () => {
    await world.close();
    await reboot(proof, unique);
  });

  test("the newest chain of the running job is not packed, and a person who asks is told", async () => {
    expect(await world.fault(["pack", proof.name, "--point", "2"])).toMatchObject({ status: 12, code: "pack-hot" });
    const plan = await world.json<PackDocument>(["pack", proof.name, "--dry-run"], { HOLDFAST_COMPRESS_AFTER: "0s" });
    expect(plan).toMatchObject({ pack: [], done: null });
    expect(plan.left.map(({ number }) => number)).toEqual([1, 2, 3]);
  });

  test("once a new chain has begun the old one is packed, is listed as before, and reads back whole; the job goes on", async () => {
    // What a base stands on is nothing: 1 and 2 are of an older chain now.
    await world.json(["fold", proof.name, "--point", "3"]);
    const { done } = await world.json<PackDocument>(["pack", proof.name], { HOLDFAST_COMPRESS_AFTER: "0s" });
    expect(done?.map(({ number }) => number)).toEqual([1, 2]);
    for (const { bytesBefore, bytesAfter } of done ?? []) expect(bytesAfter).toBeLessThan(bytesBefore);
    expect(await world.json<TakeDocument>(["take", proof.name])).toMatchObject({ point: 4, kind: "increment", parent: 3 });
    expect(await readdir(generation(1))).toEqual(["holdfast.json", PACK]);
    expect((await pointsOf(world, proof.name)).map(({ number }) => number)).toEqual([1, 2, 3, 4]);
    expect(await world.json(["verify", proof.name])).toMatchObject({ jobs: [{ damage: [] }] });
  });

  test("a drill of a packed point proves it beside the running job, and leaves nothing", async () => {
    expect(await world.json(["drill", proof.name, "--point", "2"])).toMatchObject({ point: 2 });
    expect(await hidden()).toEqual([]);
    expect(await readdir(generation(2))).toEqual(["holdfast.json", PACK]);
  });

  test.each([2, 1])("restored from packed point %i it ends as if nothing had happened; the point stays packed", async (number) => {
    const running = await world.json<StatusDocument>(["status", proof.name]);
    const run = running.jobs[0]?.run;
    if (running.jobs[0]?.state === "running" && run) {
      await kill(run.initPid ?? run.pid);
      await gone(run.pid);
    }
    await reboot(proof, unique);
    const restored = await world.json<RestoreDocument>(["restore", proof.name, "--point", String(number)]);
    expect(restored).toMatchObject({ job: proof.name, point: number });
    expect(await hidden()).toEqual([]);
    expect(await readdir(generation(number))).toEqual(["holdfast.json", PACK]);
    await goFast(world.cwd);
    await gone(restored.pid, 100);
    const { jobs } = await world.json<StatusDocument>(["status", proof.name]);
    expect(jobs).toMatchObject([{ run: { ending: { type: "exited", status: proof.status } } }]);
    expect(await readOutputs(proof, world.cwd, guarded.started.output)).toEqual(expected);
  });

  test("zstd and tar alone make of a packed chain what plain `criu restore -D` brings back (L7)", async () => {
    await reboot(proof, unique);
    const plain = path.join(world.root, "plain");
    for (const number of [1, 2]) {
      const into = path.join(plain, String(number));
      await mkdir(into, { recursive: true });
      const { status } = await child(["bash", "-c", `zstd -dc ${generation(number)}/${PACK} | tar -xC ${into}`]);
      expect(status).toBe(0);
    }
    const manifest = JSON.parse(await readFile(path.join(generation(2), "holdfast.json"), "utf8")) as Manifest;
    for (const file of manifest.capture.files) {
      await mkdir(path.dirname(file.path), { recursive: true });
      if (file.stored !== null) await copyFile(path.join(plain, "2", file.stored), file.path);
      await truncate(file.path, file.size);
      await chmod(file.path, file.mode);
    }
    await goFast(world.cwd);
    const work = path.join(world.root, "by-hand");
    await mkdir(work);
    const inside = 'echo 30000 >/proc/sys/kernel/ns_last_pid; exec "$@"';
    const words = ["restore", "--no-default-config", "-D", path.join(plain, "2"), "-W", work, "-v4", "-o", "restore.log"];
    const { status } = await child(
      ["unshare", "-p", "-f", "--mount-proc", "sh", "-c", inside, "sh", ...criu, ...words, ...manifest.restoreOptions],
      { seconds: 120 },
    );
    expect(status).toBe(0);
    expect(await readOutputs(proof, world.cwd, guarded.started.output)).toEqual(expected);
  });

  test("unpacked again, the directories are those that CRIU wrote", async () => {
    await world.json(["unpack", proof.name]);
    expect(await readdir(generation(1))).toContain("inventory.img");
    expect(await world.json(["verify", proof.name])).toMatchObject({ jobs: [{ damage: [] }] });
  });
});
