import type { PreDumped, PreDumpRequest } from "../engine/ports.ts";
import { Fault } from "../faults/fault.ts";
import { preDumpWords } from "./arguments.ts";
import { fullPlace } from "./full-place.ts";
import { type DumpSetting, runLocked } from "./run-locked.ts";
import { readPreDump } from "./verify-dump.ts";

/** One round of `criu pre-dump`; see the port. */
export async function preDump(setting: DumpSetting, request: PreDumpRequest): Promise<PreDumped> {
  const { log } = request;
  const words = (lock: string) => preDumpWords(request, { criu: setting.criu, lock });
  try {
    await runLocked(setting, request, words, neverFrozen);
  } catch (error) {
    if (!(error instanceof Fault) || !survived.has(error.code)) throw error;
    return { type: "failed", why: error.message, log };
  }
  const found = await readPreDump(request.images, request.parent);
  if (found.type === "sound") return { type: "done", round: found.round };
  const full = await fullPlace(request, "");
  if (full !== null) throw Fault.of("vault-full", { place: full }, { cause: found });
  return { type: "failed", why: found.why, log };
}

/** The job is unharmed by these, and a base makes up for them. */
const survived: ReadonlySet<string> = new Set(["dump-failed", "parent-unfit"]);

async function neverFrozen(): Promise<void> {
  throw new Error("a pre-dump has no hook");
}
