import { spawn } from "node:child_process";
import { access, mkdir, readFile, rm } from "node:fs/promises";
import path from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { openCriu } from "../../src/criu/criu.ts";
import { readStatsDump } from "../../src/images/stats-dump.ts";
import { succeed } from "../../test/platform/child.ts";
import { kill, type World } from "../../test/platform/world.ts";
import { freezeOf, type Place, type Size, type TakeDocument } from "./place.ts";

/** This machine; where its kernel has no soft-dirty the plain loop can only dump in full. */
export function hostPlace(world: World, program: string, { mebibytes, seconds }: Size): Place {
  const words = (percent: number) => [program, String(mebibytes), String(percent), String(seconds)];
  const criu = openCriu({
    setting: "auto",
    cacheRoot: "/var/cache/holdfast",
    searchPath: process.env["PATH"] ?? "",
    hook: async () => "",
    lockFolder: "",
    socketFolders: [],
  });
  return {
    name: "on this machine",
    peer: "`criu dump --leave-running`, each in full",
    async start(percent) {
      const folder = path.join(world.root, `plain-${percent}`);
      await mkdir(folder);
      const job = spawn(words(percent)[0] ?? "", words(percent).slice(1), { cwd: folder, detached: true, stdio: "ignore" });
      await isReady(folder);
      let n = 0;
      return {
        async dump() {
          const images = path.join(folder, String((n += 1)));
          await mkdir(images);
          const told = ["-t", String(job.pid), "-D", images, "-R", "-v2", "-o", "dump.log"];
          await succeed([...(await criu.probe()).command, "dump", "--no-default-config", "--manage-cgroups=ignore", ...told]);
          const { frozenTime } = readStatsDump(await readFile(path.join(images, "stats-dump")), "stats-dump");
          await rm(images, { recursive: true });
          return { dump: frozenTime / 1000, before: [] };
        },
        async end() {
          await kill(job.pid ?? 0);
          await rm(folder, { recursive: true });
        },
      };
    },
    async guard(percent) {
      const folder = path.join(world.root, `guarded-${percent}`);
      await mkdir(folder);
      const name = `guarded-${percent}`;
      const options = ["--name", name, "--cwd", folder, "--every", "never", "--keep", "all"];
      const { initPid } = await world.json<{ initPid: number }>(["run", ...options, "--", ...words(percent)]);
      await isReady(folder);
      return {
        take: async () => freezeOf(await world.json<TakeDocument>(["take", name])),
        async end() {
          await kill(initPid);
          await rm(path.join(world.vault, "jobs", name, "generations"), { recursive: true });
        },
      };
    },
  };
}

async function isReady(folder: string): Promise<void> {
  for (let tries = 0; tries < 1200; tries++) {
    const there = await access(path.join(folder, "ready")).then(
      () => true,
      () => false,
    );
    if (there) return;
    await wait(100);
  }
  throw new Error(`the program in ${folder} has not filled its memory`);
}
