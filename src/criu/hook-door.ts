import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server, type Socket } from "node:net";
import os from "node:os";
import path from "node:path";
import { Fault } from "../faults/fault.ts";

/** What came of the one call that the post-dump hook makes. */
export type HookOutcome =
  | { readonly type: "not-called" }
  | { readonly type: "at-work" }
  | { readonly type: "done" }
  | { readonly type: "rejected"; readonly error: unknown };

/** The unix socket on which the action script (`holdfast-hook`, see `src/host/init.c`) says that the tree is frozen. */
export type HookDoor = {
  /** Value of HOLDFAST_HOOK. */
  readonly path: string;
  outcome(): HookOutcome;
  /** Also lets a hook that still waits go, with failure. */
  close(): Promise<void>;
};

/**
 * Opens the door. The hook connects, writes `frozen`, and waits for one byte: `0` goes on, anything else and a closed socket fail
 * the dump. `act` runs once, between the two; a process that dies inside it closes the socket, so the job thaws.
 *
 * The socket lies in a fresh 0700 folder under the first of `folders` that can be written, which must be seen by the job's mount
 * namespace too.
 */
export async function openHookDoor(folders: readonly string[], act: () => Promise<void>): Promise<HookDoor> {
  const folder = await freshFolder([...folders, os.tmpdir()]);
  const socketPath = path.join(folder, "hook");
  const waiting = new Set<Socket>();
  let outcome: HookOutcome = { type: "not-called" };

  async function answer(socket: Socket): Promise<void> {
    if (outcome.type !== "not-called") {
      socket.destroy();
      return;
    }
    outcome = { type: "at-work" };
    try {
      await act();
      outcome = { type: "done" };
      socket.end("0");
    } catch (error) {
      outcome = { type: "rejected", error };
      socket.end("1");
    }
  }

  const server = createServer((socket) => {
    waiting.add(socket);
    // CRIU and the hook may be killed at any moment; how the dump ended says all there is to say.
    socket.on("error", () => socket.destroy());
    socket.once("close", () => waiting.delete(socket));
    socket.once("data", () => void answer(socket));
  });
  await listen(server, socketPath);

  return {
    path: socketPath,
    outcome: () => outcome,
    close: async () => {
      for (const socket of waiting) socket.destroy();
      await new Promise<void>((resolve) => {
        server.close(() => resolve());
      });
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function freshFolder(folders: readonly string[]): Promise<string> {
  for (const folder of folders) {
    try {
      // Not `recursive`: Node never comes back from it where a file system has no new folders, as /proc.
      await mkdir(folder, { mode: 0o700 }).catch(() => {});
      const fresh = await mkdtemp(path.join(folder, "hf-"));
      // The kernel's limit for a socket's name is 107 bytes.
      if (Buffer.byteLength(path.join(fresh, "hook")) < 108) return fresh;
      await rm(fresh, { recursive: true });
    } catch {
      // read-only, or not there: the next one
    }
  }
  throw Fault.of("io-failed", { what: "making a socket for CRIU's hook", why: `none of ${folders.join(", ")} can be written` });
}

async function listen(server: Server, socketPath: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(socketPath, resolve);
  });
}
