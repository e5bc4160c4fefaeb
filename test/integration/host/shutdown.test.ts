import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { goingDown } from "../../../src/host/shutdown.ts";

let root: string;
beforeEach(async () => {
  root = await mkdtemp("/tmp/holdfast-root-");
  await mkdir(path.join(root, "run/systemd/shutdown"), { recursive: true });
  await mkdir(path.join(root, "usr/bin"), { recursive: true });
});
afterEach(async () => rm(root, { recursive: true, force: true }));

const now = 1_790_000_000_000;
const write = (file: string, text: string | Buffer) => writeFile(path.join(root, file), text);

/** A machine under systemd, whose manager answers so. */
async function systemd(answer: string, status = 0): Promise<void> {
  await mkdir(path.join(root, "run/systemd/system"));
  await write("usr/bin/systemctl", `#!/bin/sh\necho '${answer}'\nexit ${status}\n`);
  await chmod(path.join(root, "usr/bin/systemctl"), 0o755);
}

/** As `init` writes it: a record of 384 bytes, its kind, then the level in the place of a pid. */
function runlevel(level: string, before: string): Buffer {
  const record = Buffer.alloc(384);
  record.writeInt16LE(1, 0);
  record.writeInt32LE((level.codePointAt(0) ?? 0) + 256 * (before.codePointAt(0) ?? 0), 4);
  return record;
}

describe("under systemd the machine goes down", () => {
  test("when its manager is stopping", async () => {
    await systemd("stopping", 1);
    expect(await goingDown(root, now)).toBe("systemd is stopping");
  });

  test.each(["running", "degraded", "starting"])("not when it is %s, though a shutdown is scheduled", async (answer) => {
    await systemd(answer, answer === "running" ? 0 : 1);
    await write("run/systemd/shutdown/scheduled", `USEC=${now * 1000}\nMODE=poweroff\n`);
    await write("run/nologin", "");
    expect(await goingDown(root, now)).toBeNull();
  });

  test("when it does not answer and the scheduled moment is there", async () => {
    await systemd("Failed to connect to bus", 1);
    expect(await goingDown(root, now)).toBeNull();
    await write("run/systemd/shutdown/scheduled", `USEC=${(now + 7_200_000) * 1000}\nMODE=poweroff\n`);
    expect(await goingDown(root, now)).toBeNull();
    await write("run/systemd/shutdown/scheduled", `USEC=${(now + 1000) * 1000}\nMODE=poweroff\n`);
    expect(await goingDown(root, now)).toBe("a shutdown is scheduled for now");
  });
});

describe("without systemd the machine goes down", () => {
  test.each([
    ["6", "the runlevel is 0 or 6"],
    ["0", "the runlevel is 0 or 6"],
    ["2", null],
  ])("by the last runlevel: %s", async (level, why) => {
    await write("run/utmp", Buffer.concat([Buffer.alloc(384), runlevel("6", "2"), runlevel(level, "2"), Buffer.alloc(384)]));
    expect(await goingDown(root, now)).toBe(why);
  });

  test("when nobody may log in any more; and never by nothing at all", async () => {
    expect(await goingDown(root, now)).toBeNull();
    await write("run/nologin", "");
    expect(await goingDown(root, now)).toBe("nobody may log in any more");
  });
});
