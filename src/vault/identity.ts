import { createHmac } from "node:crypto";
import path from "node:path";
import { z } from "zod";
import { Fault } from "../faults/fault.ts";
import { ensureFolder, isTemporary, writeOnce } from "./atomic.ts";
import type { DiskStatus } from "./disk.ts";
import { documentBytes, readDocument, type DocumentKind } from "./document.ts";
import { isErrno } from "./disk-fault.ts";
import type { Room } from "./room.ts";
import { listIfThere } from "./tree.ts";

/**
 * `holdfast-vault.json`. `id` tells this vault's staging folders from another's; `createdAt`: milliseconds since the epoch; `keyMark` tells the
 * key it was made with from any other, and nothing of the key itself (vaults made before there was one do not have it).
 */
export type VaultIdentity = { readonly id: string; readonly createdAt: number; readonly keyMark?: string | undefined };

const identityDocument: DocumentKind<VaultIdentity> = {
  part: "vault",
  schema: z.strictObject({ id: z.string().regex(/^[0-9a-f]{32}$/), createdAt: z.number(), keyMark: z.string().optional() }),
};

/** `null`: there is no vault yet. Faults: `vault-newer`, `vault-file-damaged`, `vault-unwritable` if the path is no folder. */
export async function readIdentity(room: Room): Promise<VaultIdentity | null> {
  return readDocument(room.disk, room.paths.identity, identityDocument).catch((error: unknown) => {
    if (isErrno(error, "ENOTDIR")) throw unwritable(room, "it is not a folder");
    throw error;
  });
}

/**
 * The vault, made if it is not there: the folder (0700), the key, then `holdfast-vault.json`, whose presence says that the
 * rest is there too. A crash in between is finished by the next caller; of two callers at once both end with the same key and id.
 * An empty folder is taken over; one that others may enter is only if it is empty, so that a wrong path does no harm.
 */
export async function ensureVault(room: Room): Promise<VaultIdentity> {
  const { disk, paths } = room;
  const present = await readIdentity(room);
  // Down from the top: a process that died may have made any of these and synced none.
  if (present === null) await ensureFolder(disk, "/", paths.root);
  await closeRoot(room, present !== null);
  if (present !== null) return present;
  const key = await ensureKey(room);
  const id = room.random();
  const fresh = { id, createdAt: room.now(), keyMark: markOf(key, id) };
  await writeOnce(disk, paths.identity, documentBytes(identityDocument, fresh), room.random);
  return (await readIdentity(room)) ?? fresh;
}

/** The key this vault was made with; with another one every sealed generation would look forged. Fault: `key-unusable`. */
export async function readOwnKey(room: Room): Promise<Buffer> {
  const [key, identity] = [await readKey(room), await readIdentity(room)];
  if (identity?.keyMark === undefined || identity.keyMark === markOf(key, identity.id)) return key;
  throw unusable(room, "it is not the one this vault was made with");
}

function markOf(key: Buffer, id: string): string {
  return createHmac("sha256", key).update(`the key of vault ${id}`).digest("hex");
}

/** 32 bytes. Never made here: a new key would turn every sealed generation into a forged one. Fault: `key-unusable`. */
export async function readKey(room: Room): Promise<Buffer> {
  const file = room.paths.key;
  const bytes = await room.disk.read(file).catch((error: unknown) => {
    if (isErrno(error, "ENOENT"))
      throw unusable(room, "it is missing, and without it no point can be told from a forged one", error);
    throw error;
  });
  const text = bytes.toString("latin1").trim();
  if (!/^[0-9a-f]{64}$/.test(text)) throw unusable(room, "it does not hold 64 hex digits");
  const found = await room.disk.status(file);
  if (found !== null && (found.mode & 0o077) !== 0)
    throw unusable(room, `others may use it (mode 0${octal(found)}); it must be 0600`);
  if (found !== null && !isOwn(found)) throw unusable(room, `it belongs to user ${found.uid}, who could forge a point with it`);
  return Buffer.from(text, "hex");
}

async function ensureKey(room: Room): Promise<Buffer> {
  const { disk, paths } = room;
  const folder = path.dirname(paths.key);
  if ((await disk.status(paths.key)) === null) {
    // Jobs without a key are what somebody left of a vault: see readKey.
    if ((await listIfThere(disk, paths.jobs)).length > 0) await readKey(room);
    if (folder !== paths.root) await ensureFolder(disk, "/", folder);
    await writeOnce(disk, paths.key, Buffer.from(`${room.random()}${room.random()}\n`), room.random);
  }
  // Also for a key whose maker died before its sync.
  await disk.sync(folder);
  return readKey(room);
}

async function closeRoot(room: Room, isVault: boolean): Promise<void> {
  const { disk, paths } = room;
  // With "/." the folder is meant also where the path is a link to it.
  const root = await disk.status(`${paths.root}/.`);
  if (root === null) throw unwritable(room, "it is no folder");
  if (!isOwn(root)) throw unwritable(room, `it belongs to user ${root.uid}`);
  if ((root.mode & 0o077) === 0) return;
  if (!isVault && !(await holdsNothing(room))) {
    throw unwritable(room, `it is no vault, holds other things, and others may enter it (mode 0${octal(root)})`);
  }
  await disk.closeFolder(paths.root);
}

/** A fresh ext4 has its `lost+found`; temporary files are those of a vault in the making. */
async function holdsNothing(room: Room): Promise<boolean> {
  const names = (await room.disk.list(room.paths.root)).map((entry) => entry.name);
  return names.every((name) => name === "lost+found" || name === "key" || isTemporary(name));
}

function isOwn(found: DiskStatus): boolean {
  return found.uid === process.geteuid?.();
}

function octal(found: DiskStatus): string {
  return found.mode.toString(8);
}

function unusable(room: Room, why: string, cause?: unknown): Fault {
  return Fault.of("key-unusable", { file: room.paths.key, why }, cause === undefined ? {} : { cause });
}

function unwritable(room: Room, why: string): Fault {
  return Fault.of("vault-unwritable", { path: room.paths.root, why });
}
