import { readFileSync } from "node:fs";
import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { setPriority } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import type { Isolated, Isolation, IsolationRequest, Launched, Launcher } from "../../engine/ports.ts";
import { Fault } from "../../faults/fault.ts";
import { systemTool } from "../launch-needs.ts";
import { numbersIn } from "../proc/kernel-file.ts";
import { makePrivateCopies } from "./private-copies.ts";
import { differences, processesOf } from "./stopped-memory.ts";
import { ownAddresses, planView, viewText } from "./view.ts";

/**
 * Drills: the init makes its own mounts (an overlay over all that can be written to), network, IPC and pids, and CRIU restores in there.
 * At its last step, all processes made and none running, CRIU's hook waits for the file `go`. See docs/explanation/drill.md.
 */
export function openIsolation(launcher: Launcher): Isolation {
  async function bringBack(
    request: IsolationRequest,
    whileStopped: (isolated: Isolated) => Promise<"resume" | "end">,
  ): Promise<Launched | null> {
    const { runFolder } = request.restore;
    const copied = await prepare(request);
    const restoring = launcher.bringBack({ ...request.restore, view: request.folder });
    // Looked at again below; a failure meanwhile is not unhandled.
    const failed = restoring.then(
      () => "ended" as const,
      () => "ended" as const,
    );
    try {
      if ((await untilStopped(runFolder, failed)) === "ended") return await explained(restoring, request);
      const processes = processesOf(Number(await readFile(path.join(runFolder, "init"), "utf8")));
      await makeIdle([...processes.values()]);
      const readOnly = await linesOf(path.join(request.folder, "refused"));
      const next = await whileStopped({
        copied: copied.filter((place) => !readOnly.includes(place)),
        readOnly,
        differences: async (pages) => differences(processes, pages),
      });
      if (next === "end") {
        await launcher.abandon(runFolder);
        await failed;
        return null;
      }
      await writeFile(path.join(runFolder, "go"), "");
      return await restoring;
    } catch (error) {
      await launcher.abandon(runFolder);
      await failed;
      throw error;
    } finally {
      await copyFile(request.restore.log, request.keepLog).catch(() => undefined);
    }
  }

  return { bringBack };
}

/** Fills the folder with all that the init and CRIU find there; gives the places under private copies. */
async function prepare({ folder, capture, generationFolder, laterUndo, restore }: IsolationRequest): Promise<readonly string[]> {
  const places = [...planView(readFileSync("/proc/self/mountinfo", "utf8")), { kind: "as-is", flags: 0, path: restore.runFolder }];
  for (const name of ["root", "run"]) await mkdir(path.join(folder, name), { mode: 0o700 });
  await makePrivateCopies({ folder, places, capture, point: restore.point, generationFolder, laterUndo });
  await writeFile(path.join(folder, "mounts"), viewText(places, ownAddresses()));
  return places.flatMap(({ kind, path: place }) => (kind === "copies" ? [place] : []));
}

/** Waits until CRIU says that all stand ready, or it has ended. */
async function untilStopped(runFolder: string, ended: Promise<"ended">): Promise<"stopped" | "ended"> {
  for (let isOver = false; !isOver;) {
    if ((await readFile(path.join(runFolder, "stopped"), "utf8").catch(() => null)) !== null) return "stopped";
    isOver = (await Promise.race([ended, sleep(20)])) === "ended";
  }
  return "ended";
}

/** CRIU ended without having waited: a failure of the restore, or of the set-up (then the launcher calls it the restore's too). */
async function explained(restoring: Promise<Launched>, { restore }: IsolationRequest): Promise<never> {
  await restoring;
  throw Fault.of("restore-failed", {
    point: restore.point,
    job: restore.job,
    log: restore.log,
    other: "N",
    why: "CRIU did not wait for the look at its work",
  });
}

/**
 * The init's own priority is idle, and so was CRIU's; the tasks were given back those they had at the freeze, and the disk's was
 * inherited. Raising the score for the out-of-memory killer needs no right: a drill dies before any job.
 */
async function makeIdle(pids: readonly number[]): Promise<void> {
  const chrt = await systemTool("chrt");
  for (const pid of pids) {
    await writeFile(`/proc/${pid}/oom_score_adj`, "1000").catch(() => undefined);
    for (const thread of numbersIn(`/proc/${pid}/task`)) {
      try {
        setPriority(thread, 19);
      } catch {
        // It has gone, or this root may not: the drill goes on at the priority it has.
      }
    }
    await execa(chrt, ["--idle", "--all-tasks", "--pid", "0", String(pid)], { reject: false, stdin: "ignore" });
  }
}

async function linesOf(file: string): Promise<readonly string[]> {
  return (await readFile(file, "utf8").catch(() => "")).split("\n").filter(Boolean);
}
