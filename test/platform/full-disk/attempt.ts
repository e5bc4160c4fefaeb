import { compose } from "../../../src/compose.ts";
import type { JobName } from "../../../src/domain/job.ts";
import { dedup } from "../../../src/engine/dedup.ts";
import { expire } from "../../../src/engine/expire.ts";
import { hold } from "../../../src/engine/hold.ts";
import type { Ports } from "../../../src/engine/ports.ts";
import { restore } from "../../../src/engine/restore.ts";
import { take } from "../../../src/engine/take.ts";
import { Fault } from "../../../src/faults/fault.ts";
import { readSettings } from "../../../src/settings/read.ts";
import { fill } from "./ballast.ts";

/** What a verb came to whose disk was filled just before one of its steps. */
export type Attempt = {
  /** The steps that were begun, in order; the disk was full from number `at` on. */
  readonly steps: readonly string[];
  readonly fault: {
    readonly code: string;
    readonly message: string;
    readonly remedy: string;
    readonly stillGood: string | null;
  } | null;
  /** Anything that is not a fault. */
  readonly bug: string | null;
  readonly notices: readonly string[];
};

/** One verb of the real engine in a process of its own: `attempt.ts VERB JOB AT FOLDER`, on the vault that the environment names. */
const [verb = "", name = "", at = "", folder = ""] = process.argv.slice(2);
const job = name as JobName;
const [steps, notices]: [string[], string[]] = [[], []];

const verbs: Readonly<Record<string, (ports: Ports) => Promise<unknown>>> = {
  take: (ports) => take(ports, job),
  expire: (ports) => expire(ports, job, "UTC", "perform"),
  dedup: (ports) => dedup(ports, job),
  hold: async (ports) => hold(ports, job, (await ports.vault.sealed(job))[0] ?? 0, true, null),
  restore: (ports) => restore(ports, job, { target: { type: "latest" }, running: "refuse", onFailure: "stop" }),
};

/** Method names of the ports that write, or that run what writes. */
const writing = new Set(
  [
    "putJob removeJob putRun putGeneration markGeneration putAttempt putRecovery putDue acquireLease releaseLease",
    "writeJob writeHead writeMarks writeRun writeBeginning runFolder removeRunFolder logFile",
    "prepare seal thin discard sweepLeftovers remove fold dedup dump capture settle putBack undo bringBack",
  ].flatMap((names) => names.split(" ")),
);

/** The port, with a look before each call that may write. */
function watched<T extends object>(port: T, called: string): T {
  return new Proxy(port, {
    get(target, key) {
      const method: unknown = Reflect.get(target, key);
      if (typeof method !== "function" || typeof key !== "string" || !writing.has(key)) return method;
      return (...words: readonly unknown[]): unknown => {
        steps.push(`${called}.${key}`);
        if (steps.length === Number(at)) fill(folder);
        return Reflect.apply(method, target, words);
      };
    },
  });
}

const settings = readSettings({ file: null, env: process.env, flags: {} });
const emit = (event: { readonly type: string; readonly text?: string }): void => {
  if (event.type === "notice") notices.push(event.text ?? "");
};
const engine = await compose(settings, { events: { emit } });
const { catalogue, vault, criu, files, launcher } = engine.ports;
const ports: Ports = {
  ...engine.ports,
  catalogue: watched(catalogue, "catalogue"),
  vault: watched(vault, "vault"),
  criu: watched(criu, "criu"),
  files: watched(files, "files"),
  launcher: watched(launcher, "launcher"),
};
let [fault, bug]: [Attempt["fault"], Attempt["bug"]] = [null, null];
try {
  await verbs[verb]?.(ports);
} catch (error) {
  if (error instanceof Fault) {
    const { code, message, remedy, stillGood = null } = error;
    fault = { code, message, remedy, stillGood };
  } else bug = error instanceof Error ? (error.stack ?? error.message) : String(error);
}
process.stdout.write(JSON.stringify({ steps, fault, bug, notices } satisfies Attempt));
await engine.close();
