import { execFile } from "node:child_process";
import { copyFile, mkdir, mkdtemp, rm } from "node:fs/promises";
import path from "node:path";
import { promisify } from "node:util";
import { type Ended, type Machine, startMachine } from "./machine.ts";

/** A computer with two disks that keep (`/work`, `/vault`), which can lose its power. */
export type Lab = {
  /** The disk `/vault` as a file of this machine: only whole when `/vault` is unmounted or the power is off. */
  readonly vaultDisk: string;
  /** Starts it, with its disks as the last power cut left them. */
  boot(): Promise<void>;
  /** One shell command, as root; a command not done after `seconds` (default 120) has status 124. */
  run(command: string, seconds?: number): Promise<Ended>;
  /** As `run`; a status other than 0 is an error with all that was said. Gives standard output. */
  must(command: string, seconds?: number): Promise<string>;
  /** `holdfast WORDS --json`, which must end with 0; gives the document. */
  json<T>(words: string): Promise<T>;
  /** `holdfast WORDS --json`, whatever comes of it. */
  holdfast(words: string): Promise<{ readonly status: number; readonly said: string }>;
  /** SIGKILL for QEMU: what was not on a disk is gone. See {@link startMachine} for what that means. */
  powerCut(): Promise<void>;
  /** Copies the console's text to where it outlives the lab; gives the file. */
  keepConsole(name: string): Promise<string>;
  /** Power off and all disks removed. */
  close(): Promise<void>;
};

/** The two disk images `build.sh` made. */
export type LabImages = { readonly base: string; readonly code: string; readonly cache: string };

/** Makes the disks. Nothing runs yet. */
export async function openLab(images: LabImages): Promise<Lab> {
  const folder = await mkdtemp("/var/tmp/holdfast-lab-");
  const [work, vault] = [await emptyDisk(folder, "work"), await emptyDisk(folder, "vault")];
  let machine: Machine | null = null;

  async function run(command: string, seconds = 120): Promise<Ended> {
    if (!machine) throw new Error("the lab machine is off");
    return machine.run(command, seconds);
  }
  async function must(command: string, seconds = 120): Promise<string> {
    const { status, stdout, stderr } = await run(command, seconds);
    if (status !== 0) throw new Error(`in the lab, status ${status}: ${command}\n${stdout}\n${stderr}`);
    return stdout;
  }
  async function holdfast(words: string): Promise<{ status: number; said: string }> {
    // `--json` before a `--`, so that it is Holdfast's.
    const { status, stdout, stderr } = await run(`holdfast ${words.replace(/ -- |$/, " --json$&")}`, 240);
    return { status, said: stdout === "" ? stderr : stdout };
  }
  return {
    vaultDisk: vault,
    boot: async () => {
      if (machine) throw new Error("the lab machine is on");
      machine = await startMachine({ base: images.base, code: images.code, work, vault, folder });
    },
    run,
    must,
    holdfast,
    json: async <T>(words: string): Promise<T> => {
      const { status, said } = await holdfast(words);
      // `status` says by 3 and 13 that a job is in danger or has damage; its document is whole all the same.
      const isTold = words.startsWith("status") && (status === 3 || status === 13);
      if (status !== 0 && !isTold) throw new Error(`in the lab, status ${status}: holdfast ${words}\n${said}`);
      return JSON.parse(said) as T;
    },
    powerCut: async () => {
      await machine?.kill();
      machine = null;
    },
    keepConsole: async (name) => {
      const kept = path.join(images.cache, "failed", `${name.replaceAll(/[^A-Za-z0-9]+/g, "-")}.console`);
      await mkdir(path.dirname(kept), { recursive: true });
      await copyFile(path.join(folder, "console"), kept);
      return kept;
    },
    close: async () => {
      await machine?.kill();
      machine = null;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

const execute = promisify(execFile);

/** A sparse file with an empty ext4: it takes the room of what is written to it. */
async function emptyDisk(folder: string, name: string): Promise<string> {
  const file = path.join(folder, `${name}.img`);
  await execute("truncate", ["-s", "4G", file]);
  await execute("mke2fs", ["-q", "-t", "ext4", "-m", "0", "-E", "lazy_itable_init=1", file]);
  return file;
}
