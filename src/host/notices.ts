import { open, rm } from "node:fs/promises";
import { homedir } from "node:os";
import path from "node:path";
import { BroadcastChannel, isMainThread } from "node:worker_threads";
import type { Notice, NoticeEvent, Notices } from "../engine/ports.ts";
import { machineIds } from "./ids.ts";
import type { Log } from "./log.ts";

export type NoticeSettings = {
  /** For each event a command, empty: none. */
  readonly commands: Readonly<Record<NoticeEvent, readonly string[]>>;
  /** Told with each notice, so that one hook can serve several machines. */
  readonly host: string;
  readonly vault: string;
  /** What a hook gets of `HOLDFAST_*` besides this process's own: it may call `holdfast`, which must then mean the same vault. */
  readonly variables: Readonly<Record<string, string>>;
  /** Folders for the input's file, best first. */
  readonly folders: readonly string[];
  /** A hook that hangs is ended after this, with all it has started. */
  readonly seconds: number;
  readonly log: Log;
};

/** Hooks that run at one time: one that hangs at each of many events must not fill the machine. */
const mostAtOnce = 16;
const channelName = "holdfast-notices";

/**
 * Runs the command that the settings name for an event, with the notice as one line of JSON on its standard input (`docs/reference/notices.md`).
 *
 * The input is a whole file, already unlinked, and no pipe: the hook outlives whoever told it, and one that does not read harms nobody. Util-linux's
 * session of its own and coreutils' `timeout` around it hold without us. A worker thread hands its notices to the main thread: a child of a
 * thread that has ended would stay a zombie, and waiting for it would hold up the thread's work.
 */
export function openNotices(settings: NoticeSettings): Notices & { close(): Promise<void> } {
  const channel = new BroadcastChannel(channelName);
  if (!isMainThread) return { tell: async (notice) => channel.postMessage(notice), close: async () => channel.close() };
  let running = 0;

  const tell = async (notice: Notice): Promise<void> => {
    const words = settings.commands[notice.event];
    if (words.length === 0) return;
    const failed = (why: string) =>
      settings.log.warn({ event: "notice-failed", notice: notice.event, job: notice.job }, `the hook ${words[0]} ${why}`);
    if (running >= mostAtOnce) return failed(`was not started: ${running} hooks still run`);
    running += 1;
    try {
      await run(settings, words, notice, (why) => {
        running -= 1;
        if (why !== null) failed(why);
      });
    } catch (error) {
      running -= 1;
      failed(`could not be started: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  channel.onmessage = (message: unknown) => void tell((message as { readonly data: Notice }).data);
  // Listening keeps no process alive: the command line ends when its work is done.
  channel.unref();
  return {
    tell,
    async close() {
      // What threads that have just ended sent is still in the queue.
      for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
      channel.close();
    },
  };
}

/** Resolves when the hook has its own process; `onEnded` hears why it failed, `null`: it did not. Rejects instead if it was not started. */
async function run(
  settings: NoticeSettings,
  words: readonly string[],
  notice: Notice,
  onEnded: (why: string | null) => void,
): Promise<void> {
  const input = await inputOf(`${JSON.stringify(jsonOf(settings, notice))}\n`, settings.folders);
  try {
    // Few commands tell anything, and all would wait for it to be loaded.
    const { spawn } = await import("node:child_process");
    const child = spawn("timeout", ["--kill-after=5", String(settings.seconds), ...words], {
      stdio: [input.fd, "ignore", "ignore"],
      detached: true,
      cwd: "/",
      env: environment(settings.variables),
    });
    await new Promise<void>((resolve, reject) => child.once("spawn", resolve).once("error", reject));
    child.once("exit", (status, signal) => onEnded(whyFailed(status, signal, settings.seconds)));
    child.unref();
  } finally {
    await input.close();
  }
}

/** A file without a name that holds the text, to be read from its start. */
async function inputOf(text: string, folders: readonly string[]) {
  let problem: unknown = new Error("no folder for its input");
  for (const folder of folders) {
    const file = path.join(folder, `.holdfast-notice-${machineIds.random()}`);
    try {
      const handle = await open(file, "wx+", 0o600);
      try {
        await rm(file, { force: true });
        // At a place of its own: the descriptor's position, which the hook goes on from, stays at the start.
        await handle.write(text, 0);
        return handle;
      } catch (error) {
        await handle.close();
        throw error;
      }
    } catch (error) {
      problem = error;
    }
  }
  throw problem;
}

/**
 * No variables of whoever called: a hook does the same under the service, under cron and under Slurm. Names beginning with `HOLDFAST_` are
 * settings alone, because `holdfast` refuses any other.
 */
function environment(variables: Readonly<Record<string, string>>): Record<string, string> {
  const own = Object.entries(process.env).filter(([name]) => name.startsWith("HOLDFAST_"));
  return {
    ...Object.fromEntries(own.map(([name, value]) => [name, value ?? ""])),
    PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    HOME: homedir(),
    LANG: "C.UTF-8",
    ...variables,
  };
}

/** The statuses above 123 are those of `timeout`. */
function whyFailed(status: number | null, signal: NodeJS.Signals | null, seconds: number): string | null {
  if (status === 0) return null;
  if (status === 124) return `was ended after ${seconds} s`;
  if (status === 137) return "was killed";
  if (status === 126) return "cannot be run";
  if (status === 127) return "is not there";
  return signal === null ? `ended with ${status}` : `was ended by ${signal}`;
}

function jsonOf({ host, vault }: NoticeSettings, { at, event, job, ...rest }: Notice): Record<string, unknown> {
  return { event, job, time: new Date(at).toISOString(), ...rest, host, vault };
}
