import { mkdtemp, readdir, rm, stat } from "node:fs/promises";
import { createConnection } from "node:net";
import os from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { openHookDoor } from "../../../src/criu/hook-door.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), "holdfast-door-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Does what the hook in init.c does; gives the byte it was answered, or empty if the socket was closed. */
function call(socketPath: string): Promise<string> {
  return new Promise((resolve) => {
    let said = "";
    const socket = createConnection(socketPath, () => socket.write("frozen\n"));
    socket.on("data", (data) => {
      said += String(data);
    });
    socket.on("error", () => {});
    socket.on("close", () => resolve(said));
  });
}

test("the hook is let go on only after the act is done", async () => {
  const steps: string[] = [];
  const door = await openHookDoor([folder], async () => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    steps.push("act");
  });
  expect(door.outcome()).toEqual({ type: "not-called" });
  steps.push(await call(door.path));
  expect(steps).toEqual(["act", "0"]);
  expect(door.outcome()).toEqual({ type: "done" });
  await door.close();
});

test("an act that rejects fails the hook and is kept", async () => {
  const error = new Error("no");
  const door = await openHookDoor([folder], () => Promise.reject(error));
  expect(await call(door.path)).toBe("1");
  expect(door.outcome()).toEqual({ type: "rejected", error });
  await door.close();
});

test("the act runs once; a second caller is turned away", async () => {
  let runs = 0;
  const door = await openHookDoor([folder], async () => {
    runs++;
  });
  expect([await call(door.path), await call(door.path)]).toEqual(["0", ""]);
  expect(runs).toBe(1);
  await door.close();
});

test("closing turns away a hook that waits, and leaves nothing behind", async () => {
  const door = await openHookDoor([folder], () => new Promise<void>(() => {}));
  const waiting = call(door.path);
  await expect.poll(() => door.outcome().type).toBe("at-work");
  await door.close();
  expect(await waiting).toBe("");
  expect(await readdir(folder)).toEqual([]);
});

test("the socket lies in a folder that is its owner's alone, in the first place that can be written", async () => {
  const tooLong = path.join(folder, "x".repeat(100));
  const door = await openHookDoor(["/proc/nowhere", tooLong, folder], async () => {});
  expect(path.dirname(path.dirname(door.path))).toBe(folder);
  expect((await stat(path.dirname(door.path))).mode & 0o777).toBe(0o700);
  expect(Buffer.byteLength(door.path)).toBeLessThan(108);
  await door.close();
});
