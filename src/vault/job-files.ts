import path from "node:path";
import type { Job, JobName } from "../domain/job.ts";
import type { Head, Marks } from "../engine/ports.ts";
import { Fault } from "../faults/fault.ts";
import { ensureFolder } from "./atomic.ts";
import { damaged, readDocument, writeDocument } from "./document.ts";
import { headDocument, jobDocument, marksDocument } from "./job-document.ts";
import { isErrno } from "./disk-fault.ts";
import { isJobFolder, JOB, numberOf } from "./paths.ts";
import type { Room } from "./room.ts";
import { listIfThere, removeWhole } from "./tree.ts";

/** Names of the folders that hold a `job.json`, in order. */
export async function jobNames(room: Room): Promise<readonly JobName[]> {
  const names = await room.disk.foldersWith(room.paths.jobs, JOB).catch((error: unknown) => {
    if (isErrno(error, "ENOENT")) return [];
    throw error;
  });
  return names.flatMap((name) => (isJobFolder(name) ? [name] : [])).toSorted();
}

/** Fault: `vault-file-damaged`, also for the file of another job: the folder was copied or renamed. */
export async function readJob(room: Room, name: JobName): Promise<Job | null> {
  const file = room.paths.jobFile(name);
  const job = await readDocument(room.disk, file, jobDocument);
  if (job !== null && job.name !== name) throw damaged(file, `it is that of job ${job.name}; the folder was copied or renamed`);
  return job;
}

export async function writeJob(room: Room, job: Job): Promise<void> {
  await ensureFolder(room.disk, room.paths.root, room.paths.job(job.name));
  await writeDocument(room.disk, room.paths.jobFile(job.name), jobDocument, job, room.random);
}

/** A crash in the middle leaves the job whole, or gone but for a `jobs/.gone-…` that the next sweep of any job removes. */
export async function removeJob(room: Room, name: JobName): Promise<void> {
  await removeWhole(room.disk, room.paths.job(name), path.join(room.paths.jobs, `.gone-${name}-${room.random().slice(0, 8)}`));
}

/**
 * What was written last; nothing known if nothing was, if it cannot be read, or if it is older than the newest generation (it rises before a
 * number is used): the next generation is then a base. `lastNumber` is never below a number that is in use, so that a lost `head.json`
 * does not lead to a number being used twice. Fault: `vault-newer`.
 */
export async function readHead(room: Room, name: JobName): Promise<Head> {
  const file = room.paths.headFile(name);
  const head = await readDocument(room.disk, file, headDocument).catch((error: unknown) => {
    if (error instanceof Fault && error.code === "vault-file-damaged") return error;
    throw error;
  });
  const { used, newest } = await numbersInUse(room, name);
  const unknown = (why: string): Head => ({ lastNumber: used, bits: { type: "unknown", why } });
  if (head === null) return unknown(used === 0 ? "no generation has been taken yet" : "head.json is missing");
  if (head instanceof Fault) return unknown(head.message);
  if (newest > head.lastNumber && head.bits.type === "known")
    return unknown(`head.json knows generations up to ${head.lastNumber}, and there is ${newest}`);
  return { ...head, lastNumber: Math.max(head.lastNumber, used) };
}

export async function writeHead(room: Room, name: JobName, head: Head): Promise<void> {
  await ensureFolder(room.disk, room.paths.root, room.paths.job(name));
  await writeDocument(room.disk, room.paths.headFile(name), headDocument, head, room.random);
}

export async function readMarks(room: Room, name: JobName): Promise<Marks> {
  return (await readDocument(room.disk, room.paths.marksFile(name), marksDocument)) ?? {};
}

export async function writeMarks(room: Room, name: JobName, marks: Marks): Promise<void> {
  await ensureFolder(room.disk, room.paths.root, room.paths.job(name));
  await writeDocument(room.disk, room.paths.marksFile(name), marksDocument, marks, room.random);
}

/** The highest number that any folder among the generations has, and the highest of those that are not on their way in or out. */
async function numbersInUse(room: Room, name: JobName): Promise<{ readonly used: number; readonly newest: number }> {
  const names = (await listIfThere(room.disk, room.paths.generations(name))).map((entry) => entry.name);
  const newest = Math.max(0, ...names.map((each) => numberOf(each) ?? 0));
  const used = Math.max(0, ...names.map((each) => numberOf(each.replace(/^\.(making|folding|old|gone)-/, "")) ?? 0));
  return { used, newest };
}
