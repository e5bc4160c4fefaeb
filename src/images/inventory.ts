import { onlyRecord } from "./image-file.ts";
import { malformed } from "./malformed.ts";
import { ProtobufReader } from "./protobuf.ts";

/** What is asked of `inventory.img` (CRIU: images/inventory.proto); it names neither CRIU's version nor a date. */
export type Inventory = {
  /** 2 in a dump; 0 in a pre-dump, which cannot be restored. */
  readonly imgVersion: number;
  /** `/proc/uptime` at the dump in microseconds; `null` unless dumped with --track-mem. */
  readonly dumpUptime: number | null;
};

/** Faults: `image-malformed`, also for the empty file that a dump leaves when the disk is full. */
export function readInventory(bytes: Uint8Array, file: string): Inventory {
  const reader = new ProtobufReader(onlyRecord(bytes, "inventory", file), file);
  let imgVersion: number | undefined;
  let dumpUptime: number | null = null;
  while (reader.next()) {
    if (reader.field === 1) imgVersion = reader.u32();
    else if (reader.field === 8) dumpUptime = reader.uint();
    else reader.skip();
  }
  if (imgVersion === undefined) throw malformed(file, "it has no image version");
  return { imgVersion, dumpUptime };
}
