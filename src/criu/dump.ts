import type { DumpRequest, DumpStats } from "../engine/ports.ts";
import { Fault } from "../faults/fault.ts";
import { dumpWords } from "./arguments.ts";
import { fullPlace } from "./full-place.ts";
import type { HookOutcome } from "./hook-door.ts";
import { type DumpSetting, runLocked } from "./run-locked.ts";
import { readDump } from "./verify-dump.ts";

export type { DumpSetting };

/**
 * One leave-running dump; see the port and {@link runLocked}.
 *
 * Faults: `busy` (another criu holds this job's lock), `io-failed` (before CRIU began), `dump-failed`, `dump-timeout`,
 * `dump-incomplete`, `tool-missing`.
 */
export async function dump(setting: DumpSetting, request: DumpRequest, whileFrozen: () => Promise<void>): Promise<DumpStats> {
  const words = (lock: string) => dumpWords(request, { criu: setting.criu, hook: setting.hook, lock });
  return soundDump(request, await runLocked(setting, request, words, whileFrozen));
}

async function soundDump(request: DumpRequest, hook: HookOutcome): Promise<DumpStats> {
  const { job, log } = request;
  if (hook.type !== "done") throw Fault.of("dump-incomplete", { job, why: "it did not call the post-dump hook", log });
  const found = await readDump(request.images, request.track);
  const full = found.type === "unsound" ? await fullPlace(request, "") : null;
  if (full !== null) throw Fault.of("vault-full", { place: full }, { cause: found });
  if (found.type === "unsound") throw Fault.of("dump-incomplete", { job, why: found.why, log }, { cause: found.cause });
  return found.stats;
}
