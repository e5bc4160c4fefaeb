import { libc, type Libc } from "./libc.ts";

const AF_NETLINK = 16;
const SOCK_RAW_CLOEXEC = 3 | 0o2000000;
const NETLINK_SOCK_DIAG = 4;
const SOCK_DIAG_BY_FAMILY = 20;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const UNIX_DIAG_PEER = 2;
const MSG_DONTWAIT = 0x40;
const headerBytes = 16;

/**
 * The other end of each Unix socket of our own network namespace, by inode number: 0 if there is none. `null`: the kernel does not
 * tell (no `unix_diag` module, no netlink). What `ss -x` asks for; `/proc/net/unix` has no such column. (sock_diag(7))
 */
export function readUnixPeers(): ReadonlyMap<number, number> | null {
  const calls = libc();
  if (calls === null || !isLittleEndian) return null;
  const fd = calls.socket(AF_NETLINK, SOCK_RAW_CLOEXEC, NETLINK_SOCK_DIAG);
  if (fd < 0) return null;
  try {
    const question = askForAll();
    return calls.send(fd, question, question.length, 0) === question.length ? collect(calls, fd) : null;
  } finally {
    calls.close(fd);
  }
}

const isLittleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** `struct nlmsghdr` and `struct unix_diag_req`: all sockets in all states, with their peers. */
function askForAll(): Buffer {
  const bytes = Buffer.alloc(headerBytes + 24);
  bytes.writeUInt32LE(bytes.length, 0);
  bytes.writeUInt16LE(SOCK_DIAG_BY_FAMILY, 4);
  bytes.writeUInt16LE(0x301, 6); // NLM_F_REQUEST | NLM_F_DUMP
  bytes.writeUInt8(1, 16); // AF_UNIX
  bytes.writeUInt32LE(0xffff_ffff, 20);
  bytes.writeUInt32LE(0x4, 28); // UDIAG_SHOW_PEER
  bytes.fill(0xff, 32); // no cookie
  return bytes;
}

function collect(calls: Libc, fd: number): ReadonlyMap<number, number> | null {
  const peers = new Map<number, number>();
  const bytes = Buffer.alloc(64 * 1024);
  for (;;) {
    const length = calls.recv(fd, bytes, bytes.length, MSG_DONTWAIT);
    if (length <= 0) return null;
    for (let at = 0; at + headerBytes <= length;) {
      const size = bytes.readUInt32LE(at);
      const type = bytes.readUInt16LE(at + 4);
      if (type === NLMSG_DONE) return peers;
      if (type === NLMSG_ERROR || size < headerBytes) return null;
      addPeer(peers, bytes.subarray(at + headerBytes, at + size));
      at += align(size);
    }
  }
}

/** `struct unix_diag_msg` (16 bytes; the inode at 4), then attributes: u16 length, u16 type, value. */
function addPeer(peers: Map<number, number>, message: Buffer): void {
  let peer = 0;
  for (let at = 16; at + 8 <= message.length;) {
    const size = message.readUInt16LE(at);
    if (size < 4) break;
    if (message.readUInt16LE(at + 2) === UNIX_DIAG_PEER) peer = message.readUInt32LE(at + 4);
    at += align(size);
  }
  peers.set(message.readUInt32LE(4), peer);
}

function align(size: number): number {
  return (size + 3) & ~3;
}
