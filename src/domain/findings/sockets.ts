import type { Finding } from "../finding.ts";
import type { SocketFacts, TreeFacts } from "../tree.ts";
import { found, listed, type FindingCode } from "./table.ts";

/**
 * Sockets. Connections that stay inside the tree are frozen and brought back at both ends at once, so nothing needs to be kept out
 * meanwhile: CRIU's network lock (iptables) is skipped. (criu-facts sections 10 and 16)
 */
export function socketFindings(tree: TreeFacts): readonly Finding[] {
  const groups = new Map<SocketCode, SocketFacts[]>();
  for (const socket of tree.sockets) {
    const code = codeOf(socket);
    if (code !== null) groups.set(code, [...(groups.get(code) ?? []), socket]);
  }
  return [...groups].map(([code, sockets]) => found(code, words[code](sockets)));
}

type SocketCode = Extract<FindingCode, `tcp-${string}` | "udp" | `unix-${string}` | `socket-${string}`>;

function codeOf(socket: SocketFacts): SocketCode | null {
  if (socket.family === "unix") return unixCode(socket);
  if (socket.family === "other") return socket.local === "" ? "socket-unknown" : "socket-kind";
  if (socket.family !== "inet" && socket.family !== "inet6") return null;
  if (socket.kind !== "stream") return socket.kind === "dgram" && socket.local !== "" ? "udp" : null;
  if (socket.state === "listening") return (socket.pending ?? 0) > 0 ? "tcp-waiting" : "tcp-listening";
  if (socket.state === "unconnected") return null;
  return socket.peer === "outside" || socket.peer === "unknown" ? "tcp-outside" : "tcp-inside";
}

/** A datagram socket is connected again by the other's name; a stream, or a nameless one, cannot be. (CRIU sk-unix.c) */
function unixCode({ kind, peer, remote }: SocketFacts): SocketCode | null {
  if (peer === "inside") return "unix-inside";
  if (peer === "unknown") return "unix-unknown";
  if (peer === "none") return null;
  return kind === "dgram" && remote !== "" ? "unix-datagram" : "unix-outside";
}

const words: Readonly<Record<SocketCode, (sockets: readonly SocketFacts[]) => string>> = {
  "tcp-inside": (sockets) => `TCP connections wholly inside the tree: ${connections(sockets)}`,
  "tcp-listening": (sockets) => `waits for TCP connections at ${locals(sockets)}; that must be free at a restore`,
  "tcp-outside": (sockets) => `a TCP connection that leaves the tree: ${connections(sockets)}`,
  "tcp-waiting": (sockets) => `a TCP connection nobody has accepted yet, at ${locals(sockets)}`,
  udp: (sockets) => `UDP at ${locals(sockets)}; datagrams on their way are lost, as UDP may lose them`,
  "unix-inside": ({ length }) => `${length} Unix socket ends connected inside the tree`,
  "unix-outside": (sockets) => `a Unix socket connected to a process outside the tree: ${remotes(sockets)}`,
  "unix-datagram": (sockets) => `sends datagrams to ${remotes(sockets)}; it is connected again by name`,
  "unix-unknown": ({ length }) => `${length} connected Unix sockets whose other end the kernel does not tell`,
  "socket-kind": (sockets) => `a socket of a kind CRIU cannot save: ${locals(sockets)}`,
  "socket-unknown": ({ length }) => `${length} sockets of an unknown kind`,
};

function connections(sockets: readonly SocketFacts[]): string {
  return listed(sockets.map(({ local, remote }) => `${local} to ${remote}`));
}

function locals(sockets: readonly SocketFacts[]): string {
  return listed(sockets.map(({ local }) => local));
}

function remotes(sockets: readonly SocketFacts[]): string {
  return listed(sockets.map(({ remote }) => (remote === "" ? "a socket without a name" : remote)));
}
