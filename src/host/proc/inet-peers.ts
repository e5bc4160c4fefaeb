import type { SocketFacts } from "../../domain/tree.ts";
import type { InetLine } from "./inet-table.ts";

/**
 * Where the other end of a TCP socket is. Both ends of a connection that stays on this machine are in the table, each with the other's
 * two addresses turned round; an end that nobody holds any more has inode 0, and so has one that waits to be accepted.
 */
export function tcpPeer(line: InetLine, table: readonly InetLine[], inside: ReadonlySet<number>): SocketFacts["peer"] {
  if (line.state === "listening" || line.state === "unconnected") return "none";
  const other = table.find(({ local, remote }) => local === line.remote && remote === line.local);
  if (other === undefined) return line.state === "closing" && isOwnHost(line) ? "none" : "outside";
  if (other.inode !== 0) return inside.has(other.inode) ? "inside" : "outside";
  if (other.state !== "connected") return "none";
  return table.some((one) => inside.has(one.inode) && one.state === "listening" && port(one.local) === port(other.local))
    ? "inside"
    : "outside";
}

/** Loopback, or both addresses the same: the other end is, or was, on this machine. */
function isOwnHost({ local, remote }: InetLine): boolean {
  return host(local) === host(remote) || remote.startsWith("127.");
}

function host(address: string): string {
  return address.slice(0, address.lastIndexOf(":"));
}

function port(address: string): string {
  return address.slice(address.lastIndexOf(":") + 1);
}
