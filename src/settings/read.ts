import type { IntervalRules } from "../domain/best-interval.ts";
import { checkZone } from "../domain/time.ts";
import type { VerifySlice } from "../domain/verify-slice.ts";
import { Fault } from "../faults/fault.ts";
import { readFileValues, type SettingsFile } from "./file.ts";
import { type Document, schema } from "./schema.ts";
import { readFlags, readVariables, type Values } from "./variables.ts";

/** What the user set, frozen, and plain enough to be sent to a worker thread. Paths are absolute. */
export type Settings = {
  /** The catalogue's file; `""`: `catalogue.sqlite` in the vault. */
  readonly catalogue: string;
  /** Where dumps land first; `""`: inside the vault. */
  readonly staging: string;
  /** A time zone's name, never empty: for times without one, and for `--cron` without `--zone`. */
  readonly zone: string;
  readonly vault: {
    readonly path: string;
    /** Bytes to leave free on the vault's filesystem. */
    readonly minFree: number;
    /** File of the host's key; `""`: inside the vault. */
    readonly key: string;
  };
  /** `path`: `auto`, or a program. `prefixRoot`: where `doctor --fix` installs, and the init is kept. */
  readonly criu: { readonly path: string; readonly prefixRoot: string };
  /** For jobs whose command line does not say. `every`: a duration, `auto`, or `""` or `never`. */
  readonly defaults: {
    readonly every: string;
    readonly keep: string;
    readonly maxChain: number;
    readonly dedup: "exact" | "in-dump";
    readonly preDump: "off" | "auto" | "read" | "splice";
    readonly onCrash: "restore" | "ask";
    /** A duration, `auto` or `never`. */
    readonly exposureLimit: string;
  };
  /** For jobs whose schedule is `auto`. */
  readonly interval: IntervalRules;
  /** `limit`: largest file copied whole, in bytes. `temporary`: folders that a reboot empties. */
  readonly files: { readonly limit: number; readonly temporary: readonly string[] };
  /** The time limits are milliseconds. */
  readonly limits: {
    readonly dumpTimeout: number;
    readonly restoreTimeout: number;
    readonly stopTimeout: number;
    /** `auto`: as the machine allows (`domain/takes-at-once.ts`). */
    readonly takesAtOnce: number | "auto";
  };
  /** `slice`: the part of all points that is read back each night. */
  readonly verify: { readonly slice: VerifySlice };
  /** `maxRate`: bytes a second that folds, sweeps, packing and the nightly verify may move; 0: as fast as they can. */
  readonly sweep: { readonly maxRate: number };
  /** `after`: age from which on a generation is cold, milliseconds. */
  readonly compress: { readonly mode: "off" | "cold"; readonly after: number };
  /** `delay`: before the first try, and then doubled; `settle`: a job that dies sooner did not come back. Milliseconds. */
  readonly recover: {
    readonly parallel: number;
    readonly delay: number;
    readonly settle: number;
    readonly attempts: number;
  };
  /** `resume`: how long a drilled job runs, milliseconds; 0: it stays stopped. */
  readonly drill: { readonly nightly: "never" | "newest"; readonly resume: number };
  /** `lastTakesDeadline`: milliseconds. */
  readonly service: {
    readonly logLevel: "debug" | "info" | "warn" | "error";
    readonly lastTakes: "never" | "shutdown" | "always";
    readonly lastTakesDeadline: number;
  };
  /** For each event the command that is told of it, empty: none. */
  readonly notices: Readonly<
    Record<"took" | "missed" | "failed" | "crashed" | "restored" | "damaged" | "exposure-over", readonly string[]>
  >;
};

export type SettingsSources = {
  readonly file: SettingsFile | null;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** By the setting's name in the file: `{ "vault.path": "/mnt/vault" }`. */
  readonly flags: Readonly<Record<string, string>>;
};

/**
 * The settings out of their sources, each stronger than the one before: defaults, file, `HOLDFAST_*` variables, flags.
 * Pure; a wrong key or value in any source is refused. Fault: `settings-invalid`.
 */
export function readSettings({ file, env, flags }: SettingsSources): Settings {
  const values = file === null ? {} : readFileValues(file);
  const merged = [readVariables(env), readFlags(flags)].reduce<Record<string, unknown>>(laidOver, values);
  return deepFrozen(settingsFrom(schema.parse(merged)));
}

function settingsFrom(document: Document): Settings {
  const { interval } = document;
  const { catalogue, staging, zone, vault, criu, defaults, files, limits, verify, sweep, recover, drill, service, notices } =
    document;
  return {
    catalogue,
    staging,
    zone: zone === "" ? machineZone() : zone,
    vault: { path: vault.path, minFree: vault["min-free"], key: vault.key },
    criu: { path: criu.path, prefixRoot: criu["prefix-root"] },
    defaults: {
      every: defaults.every,
      keep: defaults.keep,
      maxChain: defaults["max-chain"],
      dedup: defaults.dedup,
      preDump: defaults["pre-dump"],
      onCrash: defaults["on-crash"],
      exposureLimit: defaults["exposure-limit"],
    },
    interval: {
      mtbf: interval.mtbf,
      minEvery: interval["min-every"],
      maxEvery: interval["max-every"],
      maxOverhead: interval["max-overhead"],
    },
    files: { limit: files.limit, temporary: files.temporary },
    limits: {
      dumpTimeout: limits["dump-timeout"],
      restoreTimeout: limits["restore-timeout"],
      stopTimeout: limits["stop-timeout"],
      takesAtOnce: limits["takes-at-once"],
    },
    verify: { slice: verify.slice },
    sweep: { maxRate: sweep["max-rate"] },
    compress: document.compress,
    recover,
    drill,
    service: {
      logLevel: service["log-level"],
      lastTakes: service["last-takes"],
      lastTakesDeadline: service["last-takes-deadline"],
    },
    notices,
  };
}

function laidOver(below: Record<string, unknown>, values: Values): Record<string, unknown> {
  let merged = below;
  for (const [{ path }, value] of values) {
    const [first = "", second] = path;
    const inner = merged[first];
    merged = {
      ...merged,
      [first]: second === undefined ? value : { ...(typeof inner === "object" ? inner : {}), [second]: value },
    };
  }
  return merged;
}

/** The zone the machine keeps (`TZ`, `/etc/localtime`); UTC where it has none with a name. */
function machineZone(): string {
  try {
    return checkZone(new Intl.DateTimeFormat().resolvedOptions().timeZone);
  } catch (error) {
    if (error instanceof Fault) return "UTC";
    throw error;
  }
}

function deepFrozen<T>(value: T): T {
  if (typeof value === "object" && value !== null) for (const inner of Object.values(value)) deepFrozen(inner);
  return Object.freeze(value);
}
