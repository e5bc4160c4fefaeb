import { describe, expect, test } from "vitest";
import { tcpPeer } from "../../../src/host/proc/inet-peers.ts";
import type { InetLine } from "../../../src/host/proc/inet-table.ts";

function line(inode: number, local: string, remote: string, state: InetLine["state"] = "connected"): InetLine {
  return { inode, local, remote, state, pending: 0 };
}

const here = line(1, "127.0.0.1:40000", "127.0.0.1:80");
const there = line(2, "127.0.0.1:80", "127.0.0.1:40000");

describe("the other end of a TCP connection", () => {
  test("is inside if the tree holds the socket with the addresses turned round", () => {
    expect(tcpPeer(here, [here, there], new Set([1, 2]))).toBe("inside");
    expect(tcpPeer(here, [here, there], new Set([1]))).toBe("outside");
  });

  test("is outside if this machine does not have it", () => {
    expect(tcpPeer(line(1, "10.0.0.1:40000", "10.0.0.2:80"), [], new Set([1]))).toBe("outside");
    expect(tcpPeer(line(1, "10.0.0.1:40000", "10.0.0.2:80", "closing"), [], new Set([1]))).toBe("outside");
  });

  test("waits to be accepted: it is on the side of the one that listens there", () => {
    const waiting = { ...there, inode: 0 };
    const listener = line(3, "0.0.0.0:80", "0.0.0.0:0", "listening");
    expect(tcpPeer(here, [here, waiting, listener], new Set([1, 3]))).toBe("inside");
    expect(tcpPeer(here, [here, waiting, listener], new Set([1]))).toBe("outside");
  });

  test("is nobody once it was closed on this machine", () => {
    const closing = line(1, "127.0.0.1:40000", "127.0.0.1:80", "closing");
    expect(tcpPeer(closing, [closing], new Set([1]))).toBe("none");
    expect(tcpPeer(closing, [closing, { ...there, inode: 0, state: "closing" }], new Set([1]))).toBe("none");
  });

  test("is asked of connections only", () => {
    expect(tcpPeer(line(1, "0.0.0.0:80", "0.0.0.0:0", "listening"), [], new Set([1]))).toBe("none");
  });
});
