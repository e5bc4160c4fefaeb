import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import path from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, beforeEach, expect, test } from "vitest";
import { lockService } from "../../../src/host/service-lock.ts";

let vault: string;
beforeEach(async () => {
  vault = await mkdtemp("/tmp/holdfast-lock-");
});
afterEach(async () => rm(vault, { recursive: true, force: true }));

/** Another process that holds the lock until it is killed. */
async function holder() {
  const source = path.join(import.meta.dirname, "../../../src/host/service-lock.ts");
  const script = `import { lockService } from ${JSON.stringify(source)};
    const lock = await lockService(${JSON.stringify(vault)});
    console.log(lock.held); setInterval(() => lock, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  const [said] = (await once(child.stdout, "data")) as [Buffer];
  return { pid: child.pid, said: said.toString().trim(), end: async () => (child.kill("SIGKILL"), once(child, "exit")) };
}

test("a vault is one process's: another is told whose, and gets it when that one is killed", async () => {
  const other = await holder();
  expect(other.said).toBe("true");
  expect(await lockService(vault)).toEqual({ held: false, pid: other.pid });
  await other.end();
  const lock = await lockService(vault);
  expect(lock.held).toBe(true);
  expect((await holder().then(async (late) => (await late.end(), late))).said).toBe("false");
  if (lock.held) await lock.release();
  expect(await lockService(vault)).toMatchObject({ held: true });
});

test("the lock does not go when memory is collected", async () => {
  expect(await lockService(vault)).toMatchObject({ held: true });
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  for (let turn = 0; turn < 5; turn++) {
    collect();
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect((await holder().then(async (late) => (await late.end(), late))).said).toBe("false");
});

test("two vaults are two locks", async () => {
  const beside = path.join(vault, "beside");
  expect([await lockService(vault), await lockService(beside)]).toMatchObject([{ held: true }, { held: true }]);
});
