/** One line of `/proc/PID/net/unix`. (proc_pid_net(5)) */
export type UnixLine = {
  readonly inode: number;
  readonly kind: "stream" | "dgram" | "seqpacket";
  readonly state: "listening" | "connected" | "unconnected";
  /** The path it is bound to; `@name` for one in the abstract namespace; empty if it has no name. */
  readonly path: string;
};

const SO_ACCEPTCON = 0x1_0000;
const kinds: Readonly<Record<number, UnixLine["kind"]>> = { 1: "stream", 2: "dgram", 5: "seqpacket" };

/** `Num RefCount Protocol Flags Type St Inode Path`; all but the inode in hex. A path may hold spaces. */
export function parseUnixTable(text: string): readonly UnixLine[] {
  const found: UnixLine[] = [];
  for (const line of text.split("\n").slice(1)) {
    const fields = /^\S+: \S+ \S+ (\S+) (\S+) (\S+) +(\d+)(?: (.*))?$/.exec(line);
    if (fields === null) continue;
    const [, flags = "", type = "", state = "", inode = "", path = ""] = fields;
    const isListening = (Number.parseInt(flags, 16) & SO_ACCEPTCON) !== 0;
    found.push({
      inode: Number(inode),
      kind: kinds[Number.parseInt(type, 16)] ?? "stream",
      state: isListening ? "listening" : Number.parseInt(state, 16) === 3 ? "connected" : "unconnected",
      path,
    });
  }
  return found;
}
