import { onlyRecord } from "./image-file.ts";
import { ProtobufReader } from "./protobuf.ts";

/** Bytes of a process's memory: from an address, so many. */
export type ByteRange = { readonly address: number; readonly bytes: number };

/**
 * Where the kernel keeps this thread's rseq area (CRIU: images/core.proto, thread_core 5, rseq_entry 15): it writes the number of the processor
 * there whenever the thread goes on, so that no restore brings those bytes back as they were. `null`: it has none.
 * Faults: `image-malformed`.
 */
export function readRseq(bytes: Uint8Array, file: string): ByteRange | null {
  const thread = messageIn(onlyRecord(bytes, "core", file), 5, file);
  const rseq = thread && messageIn(thread, 15, file);
  if (!rseq) return null;
  const reader = new ProtobufReader(rseq, file);
  let [address, size] = [0, 0];
  while (reader.next()) {
    if (reader.field === 1) address = reader.uint();
    else if (reader.field === 2) size = reader.u32();
    else reader.skip();
  }
  return address === 0 || size === 0 ? null : { address, bytes: size };
}

/** The (last) message in that field; `null` if there is none. */
function messageIn(record: Uint8Array, field: number, file: string): Uint8Array | null {
  const reader = new ProtobufReader(record, file);
  let found: Uint8Array | null = null;
  while (reader.next()) {
    if (reader.field === field) found = reader.bytes();
    else reader.skip();
  }
  return found;
}
