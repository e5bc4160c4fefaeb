import { endianness } from "node:os";

/** One line of `/proc/PID/net/{tcp,tcp6,udp,udp6}`. (proc_pid_net(5)) */
export type InetLine = {
  readonly inode: number;
  readonly state: "listening" | "connected" | "unconnected" | "closing";
  /** `127.0.0.1:80` or `[::1]:80`; an IPv4 address in IPv6 clothes is written as the IPv4 one it is. */
  readonly local: string;
  readonly remote: string;
  /** For a listening TCP socket: connections not yet accepted. */
  readonly pending: number;
};

/** From include/net/tcp_states.h; UDP uses two of them. A connection on its way up (2, 3) is as good as made. */
const states: Readonly<Record<string, InetLine["state"]>> = {
  "01": "connected",
  "02": "connected",
  "03": "connected",
  "07": "unconnected",
  "0A": "listening",
};

export function parseInetTable(text: string): readonly InetLine[] {
  const lines = text.split("\n").slice(1).filter(Boolean);
  return lines.map((line) => {
    const fields = line.trim().split(/\s+/);
    const state = states[fields[3] ?? ""] ?? "closing";
    return {
      inode: Number(fields[9]),
      state,
      local: addressText(fields[1] ?? ""),
      remote: addressText(fields[2] ?? ""),
      pending: state === "listening" ? Number.parseInt(fields[4]?.split(":")[1] ?? "0", 16) : 0,
    };
  });
}

/** `0100007F:1F90`: the address as 32-bit words in the machine's byte order, the port as a number. */
export function addressText(hex: string, order: "LE" | "BE" = endianness()): string {
  const [words = "", port = "0"] = hex.split(":");
  const bytes = words.match(/.{8}/g)?.flatMap((word) => {
    const four = Buffer.from(word, "hex");
    return [...(order === "LE" ? four.toReversed() : four)];
  });
  return `${hostText(bytes ?? [])}:${Number.parseInt(port, 16)}`;
}

function hostText(bytes: readonly number[]): string {
  const isMapped = bytes.length === 16 && bytes.slice(0, 12).join() === "0,0,0,0,0,0,0,0,0,0,255,255";
  if (bytes.length !== 16 || isMapped) return bytes.slice(-4).join(".");
  const groups = Array.from({ length: 8 }, (_, at) => (((bytes[at * 2] ?? 0) << 8) | (bytes[at * 2 + 1] ?? 0)).toString(16));
  const zeros = [...groups.join(":").matchAll(/(?:^|:)0(?::0)+(?:$|:)/g)].map(([run]) => run);
  const longest = zeros.toSorted((one, other) => other.length - one.length)[0];
  return `[${longest === undefined ? groups.join(":") : groups.join(":").replace(longest, "::")}]`;
}
