import path from "node:path";
import { expect } from "vitest";
import { succeed } from "../child.ts";
import type { LoopDisk } from "../retention/loop-disk.ts";
import type { Attempt } from "./attempt.ts";
import { leave, makeRoom } from "./ballast.ts";
import { numbers, type Scene } from "./scene.ts";

/** Bytes left free: none at first, and enough for each verb at last. */
const growing = [0, 16, 64, 256, 1024, 2048, 3072, 4096, 6144, 8192, 12_288, 16_384].map((kibibytes) => kibibytes * 1024);

/** The verb again and again, the disk filled before its first step, its second, and so on, until it has no more steps. */
export async function atEachStep(
  scene: Scene,
  verb: string,
  disk: LoopDisk,
  judge: (told: string, fault: Attempt["fault"]) => Promise<void>,
): Promise<void> {
  const faults: string[] = [];
  for (let at = 1; ; at++) {
    const words = [process.execPath, path.join(import.meta.dirname, "attempt.ts"), verb, "full", String(at), disk.folder];
    const offered = await numbers(scene);
    const attempt = JSON.parse(await succeed(words, { env: scene.world.env })) as Attempt;
    makeRoom(disk.folder);
    const { steps, fault, bug } = attempt;
    const told = `${verb}, full before step ${at} (${steps[at - 1] ?? "none"}): ${JSON.stringify(attempt, null, 1)}`;
    expect(bug, told).toBe(null);
    if (steps.length < at) break;
    if (fault !== null) {
      faults.push(`${at} ${steps[at - 1]}`);
      expect(fault, told).toMatchObject({ code: expect.stringMatching(/^(vault-full|space-short)$/) });
      expect(`${fault.remedy} ${fault.stillGood ?? ""}`, told).toMatch(/as good as before|still good|no point before/);
      if (verb !== "expire") expect(await numbers(scene), told).toEqual(expect.arrayContaining([...offered]));
    }
    await judge(told, fault);
  }
  if (process.env["HOLDFAST_TEST_TELL"]) process.stderr.write(`${verb} failed when full from ${faults.join(", ")}\n`);
  expect(faults.length, `${verb} never met the full disk`).toBeGreaterThan(0);
  await judge(`${verb}, undisturbed`, null);
}

/** The command again and again, with ever more room, until it goes through. */
export async function withGrowingRoom(
  scene: Scene,
  disk: LoopDisk,
  words: readonly string[],
  judge: (told: string, fault: Attempt["fault"]) => Promise<void>,
): Promise<void> {
  const codes: string[] = [];
  for (const bytes of growing) {
    leave(disk.folder, bytes);
    const ended = await scene.world.run([...words, "--json"]);
    makeRoom(disk.folder);
    const told = `${words.join(" ")}, ${bytes} bytes free: ${ended.stdout}${ended.stderr}`;
    if (ended.status === 0) {
      await judge(told, null);
      break;
    }
    const { fault } = ended.stdout === "" ? { fault: null } : (JSON.parse(ended.stdout) as Attempt);
    expect(fault?.code, told).toMatch(/^(vault-full|space-short)$/);
    codes.push(fault?.code ?? "");
    await judge(told, fault);
  }
  if (process.env["HOLDFAST_TEST_TELL"]) process.stderr.write(`${words.join(" ")}: ${codes.length} times too little room\n`);
  expect(codes.length, "the first try has no room at all").toBeGreaterThan(0);
  expect(codes.length, "the last one has enough").toBeLessThan(growing.length);
}
