import { access, constants, readFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { execa } from "execa";

/** What this machine is and can do, for `doctor`. Nothing here fails: what cannot be found out is `null`. */
export type MachineFacts = {
  readonly kernel: string;
  readonly architecture: string;
  /** As `/etc/os-release` names it, for example `Debian GNU/Linux 12 (bookworm)`. */
  readonly distribution: string | null;
  readonly capabilities: Readonly<Record<NeededCapability, boolean>>;
  /** `always`, `madvise` or `never`; with `always`, soft-dirty counts 512 pages for one. */
  readonly hugePages: string | null;
  /** CRIU keeps what it found out about the kernel in /run, if that is a tmpfs. */
  readonly runIsTmpfs: boolean;
  readonly clockSynchronised: boolean | null;
  /** Programs that Holdfast starts, each with where it is; `null`: missing. */
  readonly tools: Readonly<Record<string, string | null>>;
};

/** What CRIU wants of root; bit numbers of `linux/capability.h`. */
const needed = { CAP_SYS_PTRACE: 19, CAP_SYS_ADMIN: 21, CAP_SYS_RESOURCE: 24, CAP_CHECKPOINT_RESTORE: 40 } as const;
export type NeededCapability = keyof typeof needed;

/** `cc` builds the small init where no package brought it; the others are util-linux's. */
const tools = ["cc", "unshare", "nsenter", "flock", "setpriv", "prlimit"] as const;

/** Looks at the machine: `/proc`, `/sys`, and PATH as this process has it. */
export async function inspectMachine(): Promise<MachineFacts> {
  return {
    kernel: os.release(),
    architecture: process.arch,
    distribution: prettyName(await textOf("/etc/os-release")),
    capabilities: effectiveCapabilities(await textOf("/proc/self/status")),
    hugePages: /\[(\w+)\]/.exec(await textOf("/sys/kernel/mm/transparent_hugepage/enabled"))?.[1] ?? null,
    runIsTmpfs: mountType(await textOf("/proc/self/mountinfo"), "/run") === "tmpfs",
    clockSynchronised: await clockSynchronised(),
    tools: Object.fromEntries(await Promise.all(tools.map(async (tool) => [tool, await findTool(tool)] as const))),
  };
}

/** The needed capabilities by name, from the text of `/proc/PID/status`. */
export function effectiveCapabilities(status: string): Readonly<Record<NeededCapability, boolean>> {
  const bits = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? "0"}`);
  const has = (bit: number) => (bits & (1n << BigInt(bit))) !== 0n;
  return {
    CAP_SYS_PTRACE: has(needed.CAP_SYS_PTRACE),
    CAP_SYS_ADMIN: has(needed.CAP_SYS_ADMIN),
    CAP_SYS_RESOURCE: has(needed.CAP_SYS_RESOURCE),
    CAP_CHECKPOINT_RESTORE: has(needed.CAP_CHECKPOINT_RESTORE),
  };
}

/** The type of the mount that `file` lies on, from the text of `/proc/self/mountinfo`; the last of those mounted on one another. */
export function mountType(mountinfo: string, file: string): string | null {
  let best: { readonly point: string; readonly type: string } | null = null;
  for (const line of mountinfo.split("\n")) {
    const [left = "", right = ""] = line.split(" - ");
    // Blanks in a path stand as octal numbers.
    const point = left.split(" ")[4]?.replace(/\\(\d{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8)));
    const [type] = right.split(" ");
    if (point === undefined || type === undefined || type === "") continue;
    const holds = point === "/" || file === point || file.startsWith(`${point}/`);
    if (holds && (best === null || point.length >= best.point.length)) best = { point, type };
  }
  return best?.type ?? null;
}

/** What systemd knows of the clock; `null` where nothing of the kind runs. */
async function clockSynchronised(): Promise<boolean | null> {
  const done = await execa("timedatectl", ["show", "--property=NTPSynchronized", "--value"], {
    stdin: "ignore",
    reject: false,
    timeout: 5000,
    env: { LC_ALL: "C" },
  });
  const said = done.stdout.trim();
  return said === "yes" ? true : said === "no" ? false : null;
}

async function findTool(name: string): Promise<string | null> {
  const folders = [...(process.env["PATH"] ?? "").split(":"), "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
  for (const folder of folders.filter((one) => one.startsWith("/"))) {
    const file = path.join(folder, name);
    const there = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (there) return file;
  }
  return null;
}

function prettyName(release: string): string | null {
  return /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(release)?.[1] ?? null;
}

async function textOf(file: string): Promise<string> {
  return readFile(file, "utf8").catch(() => "");
}
