import type { ProcessFacts, SocketFacts } from "../../domain/tree.ts";
import { tcpPeer } from "./inet-peers.ts";
import { parseInetTable, type InetLine } from "./inet-table.ts";
import { readKernelFile } from "./kernel-file.ts";
import { socketProtocol } from "./socket-protocol.ts";
import { readUnixPeers } from "./unix-peers.ts";
import { parseUnixTable } from "./unix-table.ts";

/** The sockets of a tree, each once, by inode. `ownNetwork`: the network namespace we ourselves live in. */
export function readSockets(processes: readonly ProcessFacts[], ownNetwork: string): readonly SocketFacts[] {
  const found = new Map<number, SocketFacts>();
  for (const held of byNetwork(processes)) {
    const inside = new Set(held.sockets.keys());
    for (const facts of [...unixSockets(held, inside, ownNetwork), ...inetSockets(held, inside)]) found.set(facts.inode, facts);
    for (const [inode, { pid, fd }] of held.sockets) {
      if (!found.has(inode)) found.set(inode, unlisted(inode, socketProtocol(pid, fd)));
    }
  }
  return [...found.values()].toSorted((one, other) => one.inode - other.inode);
}

type Held = {
  readonly network: string;
  /** One process of that namespace, to read its tables through. */
  readonly pid: number;
  /** One descriptor for each socket's inode. */
  readonly sockets: Map<number, { readonly pid: number; readonly fd: number }>;
};

function byNetwork(processes: readonly ProcessFacts[]): readonly Held[] {
  const found = new Map<string, Held>();
  for (const { pid, namespaces, descriptors } of processes) {
    const network = namespaces["net"] ?? "";
    for (const { fd, target } of descriptors) {
      const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
      if (inode === undefined) continue;
      const held = found.get(network) ?? { network, pid, sockets: new Map() };
      found.set(network, held);
      if (!held.sockets.has(Number(inode))) held.sockets.set(Number(inode), { pid, fd });
    }
  }
  return [...found.values()];
}

function unixSockets(held: Held, inside: ReadonlySet<number>, ownNetwork: string): readonly SocketFacts[] {
  const lines = new Map(parseUnixTable(tableText(held, "unix")).map((line) => [line.inode, line]));
  const mine = [...lines.values()].filter(({ inode }) => inside.has(inode));
  if (mine.length === 0) return [];
  // The kernel answers for the network namespace that asks.
  const peers = held.network === ownNetwork ? readUnixPeers() : null;
  return mine.map(({ inode, kind, state, path }) => {
    const known = peers?.get(inode);
    // An end that has been closed leaves its number behind; nobody has it any more.
    const other = known === undefined || !peers?.has(known) ? 0 : known;
    const common = { inode, family: "unix", kind, local: path, remote: lines.get(other)?.path ?? "" } as const;
    if (state === "listening") return { ...common, state, peer: "none" };
    if (known === undefined) return { ...common, state, peer: state === "connected" ? "unknown" : "none" };
    if (other === 0) return { ...common, state, peer: "none" };
    return { ...common, state: "connected", peer: inside.has(other) ? "inside" : "outside" };
  });
}

const inetTables = [
  { table: "tcp", family: "inet", kind: "stream" },
  { table: "tcp6", family: "inet6", kind: "stream" },
  { table: "udp", family: "inet", kind: "dgram" },
  { table: "udp6", family: "inet6", kind: "dgram" },
] as const;

function inetSockets(held: Held, inside: ReadonlySet<number>): readonly SocketFacts[] {
  const tables = inetTables.map((one) => ({ ...one, lines: parseInetTable(tableText(held, one.table)) }));
  const tcp: readonly InetLine[] = tables.filter(({ kind }) => kind === "stream").flatMap(({ lines }) => lines);
  return tables.flatMap(({ family, kind, lines }) => {
    return lines
      .filter(({ inode }) => inside.has(inode))
      .map((found) => {
        const { pending, ...line } = found;
        const isUdp = kind === "dgram";
        const peer = isUdp ? (line.state === "connected" ? "unknown" : "none") : tcpPeer(found, tcp, inside);
        return { ...line, family, kind, peer, ...(pending > 0 ? { pending } : {}) };
      });
  });
}

function tableText({ pid }: Held, table: string): string {
  return readKernelFile(`/proc/${pid}/net/${table}`) ?? "";
}

/** A socket in none of the tables: never bound, or of a kind that has no table here. */
function unlisted(inode: number, protocol: string): SocketFacts {
  const common = { inode, state: "unconnected", local: "", remote: "", peer: "none" } as const;
  if (protocol.startsWith("UNIX")) return { ...common, family: "unix", kind: protocol === "UNIX-STREAM" ? "stream" : "dgram" };
  if (protocol === "NETLINK") return { ...common, family: "netlink", kind: "raw" };
  if (protocol === "PACKET") return { ...common, family: "packet", kind: "raw" };
  const [, name = "", six] = /^(TCP|UDP|UDP-Lite|UDPLITE|RAW)(v6)?$/.exec(protocol) ?? [];
  if (name === "") return { ...common, family: "other", kind: "other", local: protocol };
  return {
    ...common,
    family: six === undefined ? "inet" : "inet6",
    kind: name === "TCP" ? "stream" : name === "RAW" ? "raw" : "dgram",
  };
}
