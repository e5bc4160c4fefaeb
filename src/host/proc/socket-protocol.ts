import { libc } from "./libc.ts";

const buffer = Buffer.alloc(64);

/**
 * The name of a socket's protocol (`TCP`, `UNIX-STREAM`, `MPTCP`), from the attribute the kernel gives every socket: the only way to
 * tell what a socket is that no table lists, because it was never bound. Empty if the kernel does not tell. (net/socket.c)
 */
export function socketProtocol(pid: number, fd: number): string {
  const length = libc()?.getxattr(`/proc/${pid}/fd/${fd}`, "system.sockprotoname", buffer, buffer.length) ?? -1;
  return length > 0 ? buffer.toString("latin1", 0, length).replaceAll("\0", "") : "";
}
