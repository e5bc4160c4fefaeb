import { chmod, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import path from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { dumpsTo, endHungDump } from "../../../src/criu/end-dump.ts";
import { openCriu } from "../../../src/criu/criu.ts";
import { readInventory } from "../../../src/images/inventory.ts";
import {
  criuForTests,
  goesOn,
  openScene,
  processesNamed,
  requestFor,
  startAdopted,
  startJob,
  type LiveJob,
  type Scene,
} from "./scene.ts";

const { located } = await criuForTests();

/** Something to wait for that only the test lets go. */
function gate(): { readonly open: () => void; readonly passed: Promise<void> } {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { open: resolve, passed: promise };
}

const nothing = async () => {};

describe.skipIf(!located)("a dump", { timeout: 120_000 }, () => {
  let scene: Scene;
  let job: LiveJob;

  beforeAll(async () => {
    scene = await openScene();
  });
  afterAll(() => scene.remove());
  afterEach(() => job.end());

  test("stops the job for the callback only, leaves sound images, and the job goes on; twice", async () => {
    job = await startJob(scene, "twice");
    for (const name of ["first", "second"]) {
      const request = await requestFor(scene, job, name);
      const seen: string[] = [];
      const stats = await scene.criu.dump(request, async () => {
        seen.push(await job.state());
      });
      expect(seen).toEqual(["t"]);
      expect(stats.pagesWritten).toBeGreaterThan(1024);
      expect(stats.freezeMicros).toBeGreaterThan(0);
      const inventory = await readFile(path.join(request.images, "inventory.img"));
      expect(readInventory(inventory, "inventory.img").imgVersion).toBeGreaterThan(0);
      expect(await readFile(request.log, "utf8")).toContain("Dumping finished successfully");
      expect(await goesOn(job)).toBe(true);
    }
    expect(await readdir(path.join(scene.folder, "s"))).toEqual([]);
    expect((await readdir(scene.folder)).filter((name) => name.endsWith(".stderr"))).toEqual([]);
  });

  test("works on a tree that lives in the host's namespaces", async () => {
    job = await startAdopted(scene, "adopted");
    const request = await requestFor(scene, job, "adopted-images", { init: null });
    const seen: string[] = [];
    await scene.criu.dump(request, async () => {
      seen.push(await job.state());
    });
    expect(seen).toEqual(["t"]);
    expect(await goesOn(job)).toBe(true);
  });

  test("of a namespaced tree from outside fails, and the job goes on", async () => {
    job = await startJob(scene, "outside");
    const request = await requestFor(scene, job, "outside-images", { init: null, rootVpid: job.rootPid, timeoutSeconds: 20 });
    const fault = await scene.criu.dump(request, nothing).catch((error: unknown) => error);
    // Mostly "Can't dump a pid namespace without the process init"; but CRIU also walks every mount of the machine here, and may fail
    // or hang on one that comes or goes.
    expect(fault).toMatchObject({ code: expect.stringMatching(/^dump-(failed|timeout)$/) });
    expect(await goesOn(job)).toBe(true);
  });

  test("fails when the callback rejects, with its error as the cause, and the job is thawed", async () => {
    job = await startJob(scene, "rejects");
    const cause = new Error("no room for the files");
    const request = await requestFor(scene, job, "rejects-images");
    const fault = await scene.criu.dump(request, () => Promise.reject(cause)).catch((error: unknown) => error);
    expect(fault).toMatchObject({ code: "dump-failed", cause, message: expect.stringContaining("no room for the files") });
    expect(await goesOn(job)).toBe(true);
    expect(await readFile(request.log, "utf8")).toContain("Dumping FAILED");
  });

  test("that takes too long is ended, and the job is thawed", async () => {
    job = await startJob(scene, "slow");
    const forever = gate();
    const request = await requestFor(scene, job, "slow-images", { timeoutSeconds: 1 });
    const fault = await scene.criu.dump(request, () => forever.passed).catch((error: unknown) => error);
    forever.open();
    expect(fault).toMatchObject({ code: "dump-timeout" });
    expect(await dumpsTo(request.images)).toEqual([]);
    expect(await scene.criu.stillDumping(request.job)).toBe(false);
    expect(await goesOn(job)).toBe(true);
    await scene.criu.dump(await requestFor(scene, job, "after-slow"), nothing);
  });

  test("whose criu does not heed SIGTERM is ended all the same", async () => {
    const deaf = path.join(scene.folder, "deaf");
    // An ignored signal stays ignored in what is started: the real CRIU, deaf.
    await writeFile(deaf, `#!/bin/sh\ntrap "" TERM\nexec ${located?.command.join(" ")} "$@"\n`);
    await chmod(deaf, 0o755);
    const criu = openCriu({ ...scene.options, setting: deaf });
    job = await startJob(scene, "deaf-job");
    const forever = gate();
    const request = await requestFor(scene, job, "deaf-images", { timeoutSeconds: 1 });
    await expect(criu.dump(request, () => forever.passed)).rejects.toMatchObject({ code: "dump-timeout" });
    forever.open();
    expect(await criu.stillDumping(request.job)).toBe(false);
    expect(await dumpsTo(request.images)).toEqual([]);
    expect(await goesOn(job)).toBe(true);
  });

  test("whose hook does not end leaves no process behind", async () => {
    const stubborn = path.join(scene.folder, "stubborn");
    await writeFile(stubborn, `#!/bin/sh\ntrap "" TERM\necho $$ >${stubborn}.pid\nwhile :; do sleep 1; done\n`);
    await chmod(stubborn, 0o755);
    const stuck = openCriu({ ...scene.options, hook: async () => stubborn });
    job = await startJob(scene, "stubborn-job");
    const request = await requestFor(scene, job, "stubborn-images", { timeoutSeconds: 1 });
    await expect(stuck.dump(request, nothing)).rejects.toMatchObject({ code: "dump-timeout" });
    expect(await stuck.stillDumping(request.job)).toBe(false);
    await expect.poll(() => processesNamed(stubborn)).toEqual([]);
    expect(await goesOn(job)).toBe(true);
  });

  test("whose criu is killed is a fault, and the job is thawed", async () => {
    job = await startJob(scene, "killed");
    const request = await requestFor(scene, job, "killed-images");
    const fault = await scene.criu
      .dump(request, async () => {
        for (const pid of await dumpsTo(request.images)) process.kill(pid, "SIGKILL");
        await new Promise((resolve) => setTimeout(resolve, 50));
      })
      .catch((error: unknown) => error);
    expect(fault).toMatchObject({ code: "dump-failed", message: expect.stringContaining("killed") });
    expect(await goesOn(job)).toBe(true);
  });

  test("of a process that is gone is a fault that says so", async () => {
    job = await startJob(scene, "died");
    const request = await requestFor(scene, job, "died-images", { rootVpid: job.rootVpid + 50 });
    const fault = await scene.criu.dump(request, nothing).catch((error: unknown) => error);
    expect(fault).toMatchObject({ code: "dump-failed", message: expect.stringContaining("there is no such process any more") });
  });

  test("is refused while another criu dumps the same job, and that one goes on", async () => {
    job = await startJob(scene, "busy");
    const [frozen, more] = [gate(), gate()];
    const first = scene.criu.dump(await requestFor(scene, job, "busy-first"), async () => {
      frozen.open();
      await more.passed;
    });
    await frozen.passed;
    const request = await requestFor(scene, job, "busy-second");
    expect(await scene.criu.stillDumping(request.job)).toBe(true);
    await expect(scene.criu.dump(request, nothing)).rejects.toMatchObject({ code: "busy" });
    expect(await job.state()).toBe("t");
    more.open();
    await first;
    expect(await scene.criu.stillDumping(request.job)).toBe(false);
  });

  test("leaves a job that was stopped before stopped", async () => {
    job = await startJob(scene, "stopped");
    process.kill(job.rootPid, "SIGSTOP");
    await expect.poll(() => job.state()).toBe("T");
    const request = await requestFor(scene, job, "stopped-images", { options: ["--no-such-option"] });
    await expect(scene.criu.dump(request, nothing)).rejects.toMatchObject({ code: "dump-failed" });
    expect(await job.state()).toBe("T");
    await scene.criu.dump(await requestFor(scene, job, "stopped-good"), nothing);
    await expect.poll(() => job.state()).toBe("T");
  });

  test("into a folder with anything in it is a bug of the caller", async () => {
    job = await startJob(scene, "full");
    const request = await requestFor(scene, job, "full-images");
    await symlink("../elsewhere", path.join(request.images, "parent"));
    await expect(scene.criu.dump(request, nothing)).rejects.toThrow(/is not empty/);
    expect(await goesOn(job)).toBe(true);
  });

  test("whose hook never asks is incomplete", async () => {
    job = await startJob(scene, "no-hook");
    const silent = openCriu({ ...scene.options, hook: async () => "/bin/true" });
    const request = await requestFor(scene, job, "no-hook-images");
    await expect(silent.dump(request, nothing)).rejects.toMatchObject({ code: "dump-incomplete" });
    expect(await goesOn(job)).toBe(true);
  });

  test("with tracking does what this kernel can do, or says that it cannot", async () => {
    job = await startJob(scene, "tracked");
    const { softDirty } = await scene.criu.probe();
    const request = await requestFor(scene, job, "tracked-base", { track: { parent: null } });
    if (!softDirty) {
      const fault = await scene.criu.dump(request, nothing).catch((error: unknown) => error);
      expect(fault).toMatchObject({ code: "dump-failed", message: expect.stringContaining("does not track") });
      expect(await goesOn(job)).toBe(true);
      return;
    }
    await scene.criu.dump(request, nothing);
    const next = await requestFor(scene, job, "tracked-increment", { track: { parent: request.images } });
    const stats = await scene.criu.dump(next, nothing);
    expect(stats.pagesSkipped).toBeGreaterThan(0);
  });

  test("that an earlier process left hanging is found by its images and ended", async () => {
    job = await startJob(scene, "hung");
    const forever = gate();
    const request = await requestFor(scene, job, "hung-images");
    const frozen = gate();
    const dumping = scene.criu.dump(request, async () => {
      frozen.open();
      await forever.passed;
    });
    const fault = dumping.catch((error: unknown) => error);
    await frozen.passed;
    // flock, nsenter, criu
    expect((await endHungDump(request.images)).length).toBe(3);
    forever.open();
    expect(await fault).toMatchObject({ code: "dump-failed" });
    expect(await endHungDump(request.images)).toEqual([]);
    expect(await goesOn(job)).toBe(true);
  });
});
