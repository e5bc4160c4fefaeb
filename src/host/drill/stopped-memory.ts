import { open } from "node:fs/promises";
import type { SampledPage } from "../../engine/ports.ts";
import { readKernelFile } from "../proc/kernel-file.ts";
import { processesUnder } from "../proc/tree.ts";

const pageBytes = 4096;

/** Every process of the namespace below its init: the host's numbers by the namespace's own. */
export function processesOf(init: number): ReadonlyMap<number, number> {
  const found = new Map<number, number>();
  for (const { pid } of processesUnder(init)) {
    const vpid = /^NSpid:.*\s(\d+)$/m.exec(readKernelFile(`/proc/${pid}/status`) ?? "")?.[1];
    if (pid !== init && vpid !== undefined) found.set(Number(vpid), pid);
  }
  return found;
}

/** Those pages that these processes, which stand still, do not hold as they should; also when there is no such process or page. */
export async function differences(
  processes: ReadonlyMap<number, number>,
  pages: readonly SampledPage[],
): Promise<readonly SampledPage[]> {
  const found: SampledPage[] = [];
  for (const [vpid, wanted] of Map.groupBy(pages, (page) => page.vpid)) {
    const pid = processes.get(vpid);
    const memory = pid === undefined ? null : await open(`/proc/${pid}/mem`).catch(() => null);
    if (memory === null) {
      found.push(...wanted);
      continue;
    }
    try {
      for (const page of wanted) {
        const there = Buffer.alloc(pageBytes);
        const read = await memory.read(there, 0, pageBytes, page.page * pageBytes).catch(() => null);
        if (read?.bytesRead !== pageBytes || !isSame(there, page)) found.push(page);
      }
    } finally {
      await memory.close();
    }
  }
  return found;
}

/** Equal but for the bytes that the kernel writes by itself. */
export function isSame(there: Uint8Array, { bytes, unsteady }: Pick<SampledPage, "bytes" | "unsteady">): boolean {
  const [one, other] = [Uint8Array.from(there), Uint8Array.from(bytes)];
  for (const { from, to } of unsteady) for (const side of [one, other]) side.fill(0, from, to);
  return Buffer.compare(one, other) === 0;
}
