import { createHash } from "node:crypto";
import { chmod, copyFile, mkdir, readdir, readFile, stat, truncate } from "node:fs/promises";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { child } from "./child.ts";
import { guard, pointsOf } from "./guard.ts";
import { goFast, type Outputs, readOutputs, undisturbed } from "./outputs.ts";
import { proofs } from "./proof-programs.ts";
import { type Guarded } from "./guard.ts";
import { kill, openWorld, type World } from "./world.ts";

/** The part of a manifest that a person reads to put the files back by hand. */
type Manifest = {
  readonly restoreOptions: readonly string[];
  readonly capture: {
    readonly files: readonly {
      readonly path: string;
      readonly how: string;
      readonly size: number;
      readonly mode: number;
      readonly stored: string | null;
    }[];
  };
};

const platform = inject("platform");
const proof = { ...proofs.single, include: [], outputs: proofs.single.outputs.filter((name) => name !== "closed.log") };

describe.skipIf(!platform.ready)("without Holdfast (L7)", () => {
  const { programs, criu } = platform.ready ? platform : { programs: "", criu: [] };
  let world: World;
  let guarded: Guarded;
  let expected: Outputs;

  beforeAll(async () => {
    expected = await undisturbed(proof, programs, "");
    world = await openWorld();
    guarded = await guard(world, proof, programs, "", 3);
    await kill(guarded.started.initPid);
  });
  afterAll(async () => world.close());

  test.each([3, 1, 2])("plain `criu restore -D` brings back generation %i from the vault's own directory", async (number) => {
    const folder = path.join(world.vault, "jobs", proof.name, "generations", String(number));
    const before = await digestOf(folder);
    const manifest = JSON.parse(await readFile(path.join(folder, "holdfast.json"), "utf8")) as Manifest;
    await putBackByHand(manifest, folder);
    await goFast(world.cwd);
    const ended = await restoreByHand([...criu], folder, path.join(world.root, `by-hand-${number}`), manifest.restoreOptions);
    expect(ended).toEqual({ status: 0, errors: [] });
    expect(await readOutputs(proof, world.cwd, guarded.started.output)).toEqual(expected);
    expect(await digestOf(folder)).toEqual(before);
  });

  test("an exported increment stands alone, and plain `criu restore -D` brings it back", async () => {
    const into = path.join(world.root, "exported");
    const exported = await world.json<{ restoreOptions: readonly string[] }>(["export", proof.name, "--point", "3", into]);
    expect(await readdir(into)).not.toContain("parent");
    const folder = path.join(world.vault, "jobs", proof.name, "generations", "3");
    await putBackByHand(JSON.parse(await readFile(path.join(folder, "holdfast.json"), "utf8")) as Manifest, folder);
    const ended = await restoreByHand([...criu], into, path.join(world.root, "by-hand-exported"), exported.restoreOptions);
    expect(ended).toEqual({ status: 0, errors: [] });
    expect(await readOutputs(proof, world.cwd, guarded.started.output)).toEqual(expected);
  });

  test("what is done by hand leaves every point on offer", async () => {
    expect((await pointsOf(world, proof.name)).map((point) => point.number)).toEqual([1, 2, 3]);
  });
});

/** As a person would with cp, truncate and chmod. */
async function putBackByHand(manifest: Manifest, folder: string): Promise<void> {
  for (const file of manifest.capture.files) {
    if (file.stored !== null) await copyFile(path.join(folder, file.stored), file.path);
    await truncate(file.path, file.size);
    await chmod(file.path, file.mode);
  }
}

/** In the foreground criu waits until the job has ended. CRIU's own pid must not be one of the job's, hence the jump. */
async function restoreByHand(criu: readonly string[], images: string, work: string, options: readonly string[]) {
  await mkdir(work);
  const inside = 'echo 30000 >/proc/sys/kernel/ns_last_pid; exec "$@"';
  const words = ["restore", "--no-default-config", "-D", images, "-W", work, "-v4", "-o", "restore.log", ...options];
  const { status } = await child(["unshare", "-p", "-f", "--mount-proc", "sh", "-c", inside, "sh", ...criu, ...words], {
    seconds: 120,
  });
  const log = await readFile(path.join(work, "restore.log"), "utf8");
  return { status, errors: log.split("\n").filter((line) => status !== 0 && line.includes("Error")) };
}

/** Every file of a generation, by name, length and content. */
async function digestOf(folder: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const name of await readdir(folder, { recursive: true })) {
    const file = path.join(folder, name);
    if (name.startsWith("parent") || !(await stat(file)).isFile()) continue;
    found[name] = createHash("sha256")
      .update(await readFile(file))
      .digest("hex");
  }
  return found;
}
