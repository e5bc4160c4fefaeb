import { access } from "node:fs/promises";
import path from "node:path";
import type { Criu } from "../engine/ports.ts";
import { restoreWords } from "./arguments.ts";
import { dump, type DumpSetting } from "./dump.ts";
import { preDump } from "./pre-dump.ts";
import { locateCriu, type LocateOptions } from "./locate.ts";
import { isLocked, lockFile } from "./lock.ts";
import { probeCriu, type CriuReport } from "./probe.ts";

export type CriuOptions = LocateOptions & {
  /** The path of `holdfast-hook`; asked before each dump, because it may have to be built first. */
  readonly hook: () => Promise<string>;
  /** One lock file per job, for ever: on a disk of this machine, not on NFS. */
  readonly lockFolder: string;
  /** Best first; must be visible in the jobs' mount namespaces. The temporary folder is the last resort. */
  readonly socketFolders: readonly string[];
};

/** The CRIU of this machine, found and probed once per process, at the first need; a failed look is not remembered. */
export function openCriu(options: CriuOptions): Criu & { report(): Promise<CriuReport> } {
  let known: Promise<CriuReport> | null = null;

  async function report(): Promise<CriuReport> {
    known ??= locateCriu(options).then(probeCriu);
    try {
      return await known;
    } catch (error) {
      known = null;
      throw error;
    }
  }

  async function setting(): Promise<DumpSetting> {
    const [{ command }, hook] = [await report(), await options.hook()];
    return { criu: command, hook, lockFolder: options.lockFolder, socketFolders: options.socketFolders };
  }

  return {
    report,
    probe: report,
    dump: async (request, whileFrozen) => dump(await setting(), request, whileFrozen),
    preDump: async (request) => preDump(await setting(), request),
    restoreWords: async (request) => {
      const [{ command }, hook] = [await report(), await options.hook()];
      return restoreWords(request, {
        criu: command,
        hook,
        knowsProcessor: await isThere(path.join(request.images, "cpuinfo.img")),
      });
    },
    stillDumping: (job) => isLocked(lockFile(options.lockFolder, job)),
  };
}

async function isThere(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
