import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import path from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as wait } from "node:timers/promises";

/** What one command in the machine did. Status 124: it was ended because its time was up. */
export type Ended = { readonly status: number; readonly stdout: string; readonly stderr: string };

export type MachineFiles = {
  /** The folder `build.sh` made: QEMU, kernel, initramfs, root disk. */
  readonly base: string;
  /** The disk with Holdfast, and the two that keep what is written to them. */
  readonly code: string;
  readonly work: string;
  readonly vault: string;
  /** For the sockets and the console's text. */
  readonly folder: string;
};

/** A machine that runs; it runs one command at a time. */
export type Machine = {
  run(command: string, seconds: number): Promise<Ended>;
  /** SIGKILL for QEMU. Returns when it is gone. */
  kill(): Promise<void>;
};

/**
 * Starts QEMU and waits until the machine takes commands (4 to 10 seconds under software emulation). It has 2 processors, 2 GiB
 * and no network. An error carries the console's text.
 *
 * The disks are `cache=writeback`: what the machine wrote to a disk is in this host's page cache, so it outlives a killed QEMU; what
 * the machine still held in its own page cache is lost. That is a power cut of a machine whose disks lose nothing they were given.
 * The root disk is `snapshot=on`: it is the same at each start.
 */
export async function startMachine(files: MachineFiles): Promise<Machine> {
  const consoleFile = path.join(files.folder, "console");
  const door = path.join(files.folder, "door");
  const { program, words, env } = qemuCommand(files, consoleFile, door);
  const qemu = spawn(program, words, { env, stdio: ["ignore", "ignore", "pipe"] });
  const said: Buffer[] = [];
  qemu.stderr.on("data", (part: Buffer) => said.push(part));
  const gone = once(qemu, "exit");
  gone.catch(() => {});
  // Whoever ends the tests ends the machine: vitest's workers outlive a vitest that was ended by a signal.
  const end = () => void qemu.kill("SIGKILL");
  const endWithVitest = () => process.exit(1);
  process.once("exit", end).once("disconnect", endWithVitest);
  qemu.once("exit", () => process.off("exit", end).off("disconnect", endWithVitest));
  // A program that cannot be started: told by `knock`, and by what there is then of the console.
  qemu.on("error", (error) => said.push(Buffer.from(String(error))));
  const withConsole = async (what: string) => {
    const text = await readFile(consoleFile, "latin1").catch(() => "");
    return new Error(
      `the lab machine ${what}\n${Buffer.concat(said).toString()}\n--- console, last lines\n${text.split("\n").slice(-60).join("\n")}`,
    );
  };
  const socket = await knock(door, qemu);
  if (socket === null) throw await withConsole("did not start");
  const lines = createInterface({ input: socket })[Symbol.asyncIterator]();
  const line = async (seconds: number): Promise<string> => {
    const timer = new AbortController();
    const late = wait(seconds * 1000, "late" as const, { signal: timer.signal }).catch(() => "late" as const);
    const next = await Promise.race([lines.next(), late]);
    timer.abort();
    if (next === "late") throw await withConsole(`said nothing for ${seconds} s`);
    if (next.done === true) throw await withConsole("ended");
    return next.value;
  };
  try {
    if ((await line(90)) !== "ready") throw await withConsole("speaks another language");
  } catch (error) {
    qemu.kill("SIGKILL");
    throw error;
  }
  let number = 0;
  return {
    run: async (command, seconds) => {
      number += 1;
      socket.write(`${number} ${seconds} ${Buffer.from(command).toString("base64")}\n`);
      const [id, status, out = "", err = ""] = (await line(seconds + 30)).split(" ");
      if (id !== String(number)) throw new Error(`asked the lab machine command ${number}, it answered ${id ?? "nothing"}`);
      const text = (part: string) => Buffer.from(part, "base64").toString();
      return { status: Number(status), stdout: text(out), stderr: text(err) };
    },
    kill: async () => {
      qemu.kill("SIGKILL");
      socket.destroy();
      if (qemu.exitCode === null && qemu.signalCode === null) await gone;
    },
  };
}

function qemuCommand(files: MachineFiles, consoleFile: string, door: string) {
  const tree = path.join(files.base, "qemu");
  const library = path.join(tree, "usr/lib/x86_64-linux-gnu");
  const libraries = [library, path.join(tree, "lib/x86_64-linux-gnu"), path.join(library, "pulseaudio")].join(":");
  const disk = (file: string, more: string) => ["-drive", `file=${file},format=raw,if=virtio,cache=writeback,${more}`];
  const words = [
    ...["--library-path", libraries, path.join(tree, "usr/bin/qemu-system-x86_64")],
    ...["-L", path.join(tree, "usr/share/qemu"), "-L", path.join(tree, "usr/share/seabios")],
    ...["-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2", "-m", "2048"],
    ...["-nodefaults", "-display", "none", "-no-reboot", "-serial", `file:${consoleFile}`],
    ...["-kernel", path.join(files.base, "vmlinuz"), "-initrd", path.join(files.base, "initrd.img")],
    ...["-append", "console=ttyS0 quiet panic=-1"],
    ...disk(path.join(files.base, "root.img"), "snapshot=on"),
    ...disk(files.code, "readonly=on"),
    ...disk(files.work, "discard=unmap"),
    ...disk(files.vault, "discard=unmap"),
    ...["-device", "virtio-serial-pci", "-chardev", `socket,id=door,path=${door},server=on,wait=off`],
    ...["-device", "virtserialport,chardev=door,name=lab"],
  ];
  const env = { ...process.env, QEMU_MODULE_DIR: path.join(library, "qemu"), TMPDIR: files.folder };
  return { program: path.join(tree, "lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"), words, env };
}

/** QEMU makes the socket a moment after its start. `null`: QEMU ended before that. */
async function knock(door: string, qemu: ChildProcess): Promise<Socket | null> {
  while (qemu.exitCode === null && qemu.signalCode === null) {
    const socket = connect(door);
    try {
      await once(socket, "connect");
      return socket;
    } catch {
      await wait(50);
    }
  }
  return null;
}
