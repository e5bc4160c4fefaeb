import { chmod, mkdir, mkdtemp, readdir, readFile, rm, truncate, unlink, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { installCriu } from "../../../src/criu/install.ts";
import { locateCriu } from "../../../src/criu/locate.ts";
import { explain, readTroubles } from "../../../src/criu/log.ts";
import { probeCriu } from "../../../src/criu/probe.ts";
import { criuForTests, openScene, requestFor, startJob, type LiveJob, type Scene } from "./scene.ts";

const { located } = await criuForTests();

describe.skipIf(!located)("the CRIU of this machine", { timeout: 60_000 }, () => {
  test("is probed: a version, words to run it by, and whether it tracks memory", async () => {
    const report = await probeCriu(located!);
    expect(report.version).toMatch(/^\d+\.\d+/);
    const said = await execa(report.command[0]!, [...report.command.slice(1), "check", "--feature", "mem_dirty_track"], {
      reject: false,
    });
    expect(report.softDirty).toBe(said.exitCode === 0);
  });

  test("that is no CRIU is missing", async () => {
    const found = { command: ["/bin/true"], source: "settings", path: "/bin/true" } as const;
    await expect(probeCriu(found)).rejects.toMatchObject({ code: "criu-missing" });
    const nowhere = { command: ["/nowhere/criu"], source: "settings", path: "/nowhere/criu" } as const;
    await expect(probeCriu(nowhere)).rejects.toMatchObject({ code: "criu-missing" });
  });

  test("that fails its own check is too old, in the words of its output", async () => {
    // The real CRIU, whose check is asked for something that it does not have.
    const folder = await mkdtemp(path.join(os.tmpdir(), "holdfast-weak-"));
    const weak = path.join(folder, "criu");
    await writeFile(
      weak,
      `#!/bin/sh\n[ "$1" = check ] && set -- check --no-such-option\nexec ${located!.command.join(" ")} "$@"\n`,
    );
    await chmod(weak, 0o755);
    await expect(probeCriu({ command: [weak], source: "settings", path: weak })).rejects.toMatchObject({ code: "criu-too-old" });
    await rm(folder, { recursive: true });
  });
});

describe.skipIf(!located)("what CRIU's own log says", { timeout: 60_000 }, () => {
  let scene: Scene;
  let job: LiveJob;
  let images: string;
  let out: string;

  beforeAll(async () => {
    scene = await openScene();
    job = await startJob(scene, "job", 1);
    out = path.join(scene.folder, "job/out");
    const request = await requestFor(scene, job, "good");
    await scene.criu.dump(request, async () => {});
    images = request.images;
  });
  afterAll(async () => {
    job.end();
    await scene.remove();
  });

  /** A restore in a pid namespace of its own, which ends with it; what the log then says. */
  async function restore(words: readonly string[] = []): Promise<string> {
    const log = path.join(scene.folder, "restore.log");
    await rm(log, { force: true });
    const criu = [
      ...located!.command,
      "restore",
      "--no-default-config",
      "-D",
      images,
      "-W",
      scene.folder,
      "-v4",
      "-o",
      log,
      ...words,
    ];
    const namespace = ["--pid", "--fork", "--mount-proc", "--kill-child", ...criu];
    await execa("unshare", namespace, { stdio: "ignore", reject: false, timeout: 20_000, killSignal: "SIGKILL" });
    return explain(await readTroubles(log));
  }

  test("a pid that is taken", async () => {
    // Restored beside the job that still lives, in its own pid namespace.
    const log = path.join(scene.folder, "beside.log");
    const criu = [...located!.command, "restore", "--no-default-config", "-D", images, "-W", scene.folder, "-v4", "-o", log];
    await execa("nsenter", ["-t", String(job.init!.pid), "-p", "-m", "--", ...criu], {
      stdio: "ignore",
      reject: false,
      timeout: 20_000,
    });
    expect(explain(await readTroubles(log))).toMatch(/^a pid that the job needs is taken.*Can't fork for \d+: File exists/);
  });

  test("a file of another length, one with other permissions, and one that is gone", async () => {
    job.end();
    await expect.poll(() => job.state()).toMatch(/^Z?$/);
    const plain = path.join(scene.folder, "job/plain");
    await truncate(plain, 3);
    expect(await restore()).toMatch(/^a file the job had open has another length.*has bad size 3 \(expect 6\)/);
    await truncate(plain, 6);
    await chmod(out, 0o600);
    expect(await restore()).toMatch(/^a file the job had open has other permissions.*has bad mode/);
    await unlink(out);
    expect(await restore()).toMatch(/^a file the job had open is not there.*on restore/);
  });

  test("images that are cut off, foreign, or not there", async () => {
    await mkdir(path.dirname(out), { recursive: true });
    await writeFile(out, "1\n", { mode: 0o644 });
    const core = path.join(images, `core-${job.rootVpid}.img`);
    const kept = await readFile(core);
    await truncate(core, 0);
    expect(await restore()).toMatch(/^an image is cut off or missing/);
    await writeFile(core, Buffer.alloc(64, 7));
    expect(await restore()).toMatch(/^an image is damaged, or is no image of CRIU/);
    await writeFile(core, kept);
    await unlink(path.join(images, "inventory.img"));
    expect(await restore()).toMatch(/^an image is cut off or missing/);
  });

  test("a wrong option has no log; what was said on standard error is told", async () => {
    const other = await startJob(scene, "other", 1);
    const request = await requestFor(scene, other, "odd", { options: ["--no-such-option"] });
    const fault = await scene.criu.dump(request, async () => {}).catch((error: Error) => error);
    other.end();
    expect(fault).toMatchObject({ code: "dump-failed", message: expect.stringMatching(/option|help/i) });
  });
});

describe.skipIf(process.geteuid?.() !== 0)("installing CRIU", { timeout: 300_000 }, () => {
  async function apt(
    text: string,
  ): Promise<{ readonly aptFolder: string; readonly cacheRoot: string; readonly searchPath: string }> {
    const folder = await mkdtemp(path.join(os.tmpdir(), "holdfast-install-"));
    await mkdir(path.join(folder, "apt"));
    await writeFile(path.join(folder, "apt/sources.list"), text);
    return { aptFolder: path.join(folder, "apt"), cacheRoot: path.join(folder, "cache"), searchPath: "" };
  }
  const codename = async () => /^VERSION_CODENAME=(\w+)/m.exec(await readFile("/etc/os-release", "utf8"))?.[1] ?? "none";

  test("from the machine's own mirror gives one that works, once for two who ask at the same time", async (context) => {
    const options = { ...(await apt("")), aptFolder: "/etc/apt" };
    const folder = path.dirname(options.cacheRoot);
    try {
      const found = await Promise.all([installCriu(options, () => {}), installCriu(options, () => {})]).catch(
        (error: Error) => error,
      );
      if (found instanceof Error && process.env["HOLDFAST_REQUIRE_CRIU"] !== "1") context.skip(found.message);
      if (found instanceof Error) throw found;
      const [first, second] = found;
      expect(second).toEqual(first);
      if (first.source === "system") return;
      expect((await locateCriu({ ...options, setting: "auto" })).command).toEqual(first.command);
      const names = (await readdir(options.cacheRoot)).filter((name) => name.includes("criu-"));
      expect(names).toEqual([path.basename(first.path)]);
      // A prefix that no longer works is not offered again.
      await truncate(path.join(first.path, "usr/sbin/criu"), 0);
      const third = await installCriu(options, () => {});
      expect(third.path).not.toBe(first.path);
      expect((await locateCriu({ ...options, setting: "auto" })).path).toBe(third.path);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });

  test("on a machine whose apt knows no mirror says what to do instead", async () => {
    const options = await apt("");
    await expect(installCriu(options, () => {})).rejects.toMatchObject({ code: "criu-install-failed" });
    await rm(path.dirname(options.aptFolder), { recursive: true });
  });

  test("from a mirror that does not answer fails, and leaves no prefix", async () => {
    const options = await apt(`deb http://127.0.0.1:9/debian ${await codename()} main\n`);
    const fault = await installCriu(options, () => {}).catch((error: unknown) => error);
    expect(fault).toMatchObject({ code: "criu-install-failed", message: expect.stringContaining("sid: ") });
    expect((await readdir(options.cacheRoot)).toSorted()).toEqual(["downloads", "install.lock"]);
    await rm(path.dirname(options.aptFolder), { recursive: true });
  });
});
