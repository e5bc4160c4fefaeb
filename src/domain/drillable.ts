import type { Capture } from "./captured.ts";
import type { Manifest } from "./manifest.ts";

/** Findings of a point that tie it to something outside its tree, which a drill's own network and files do not have. */
const ties: Readonly<Record<string, string>> = {
  "unix-datagram": "it is connected to a socket of another program, which must not hear from a drill",
};

/**
 * Why a drill of this point would fail though the point is good; empty if nothing is known. Findings are in the manifest as `CODE: words`.
 * What a tree may not have at all (a device, a connection to the outside) is refused when a generation is taken, and so in no point.
 */
export function undrillable({ findings }: Pick<Manifest, "findings">): readonly string[] {
  return findings.flatMap((finding) => {
    const code = finding.split(":", 1)[0] ?? "";
    const why = ties[code];
    return why === undefined ? [] : [`${finding.slice(code.length + 2)} (${why})`];
  });
}

const pageBytes = 4096;
/** What CRIU and the kernel want besides, for page tables and the like. */
const besides = { share: 1 / 10, bytes: 64 * 2 ** 20 };

/** Memory a drill needs beside the live job, in bytes: all the tree had in use, and a tenth more. */
export function drillMemory({ tree, pages }: Pick<Manifest, "tree" | "pages">): number {
  const needed = Math.max(tree.residentBytes, (pages.written + pages.skipped) * pageBytes);
  return Math.ceil(needed * (1 + besides.share)) + besides.bytes;
}

/** Room for the private copies of all files the point holds, in bytes. */
export function drillRoom(capture: Capture): number {
  return capture.files.reduce((sum, file) => sum + file.size, 0);
}
