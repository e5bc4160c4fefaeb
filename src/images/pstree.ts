import { records } from "./image-file.ts";
import { malformed } from "./malformed.ts";
import { ProtobufReader } from "./protobuf.ts";

/** One process of `pstree.img` (CRIU: images/pstree.proto); all numbers are those of the job's own pid namespace. */
export type TreeProcess = {
  readonly pid: number;
  readonly ppid: number;
  readonly pgid: number;
  readonly sid: number;
  readonly threads: readonly number[];
};

/** Faults: `image-malformed`, also for a tree without a process. */
export function readPstree(bytes: Uint8Array, file: string): readonly TreeProcess[] {
  const processes = [...records(bytes, "pstree", file)].map((record) => readProcess(record, file));
  if (processes.length === 0) throw malformed(file, "it lists no process");
  return processes;
}

/** The highest pid, thread, group or session id: a restore needs all of them free. */
export function highestPid(processes: readonly TreeProcess[]): number {
  let highest = 0;
  for (const { pid, ppid, pgid, sid, threads } of processes) {
    for (const id of [pid, ppid, pgid, sid, ...threads]) highest = Math.max(highest, id);
  }
  return highest;
}

function readProcess(record: Uint8Array, file: string): TreeProcess {
  const reader = new ProtobufReader(record, file);
  const ids: (number | undefined)[] = [];
  const threads: number[] = [];
  while (reader.next()) {
    if (reader.field >= 1 && reader.field <= 4) ids[reader.field - 1] = reader.u32();
    else if (reader.field === 5) threads.push(reader.u32());
    else reader.skip();
  }
  const [pid, ppid, pgid, sid] = ids;
  if (pid === undefined || ppid === undefined || pgid === undefined || sid === undefined) {
    throw malformed(file, "a process lacks one of its ids");
  }
  // For a zombie CRIU 4.2.1 writes one thread whose number is whatever stood in its memory; every process has a thread of its own number.
  return { pid, ppid, pgid, sid, threads: threads.includes(pid) ? threads : [pid] };
}
