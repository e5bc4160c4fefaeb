import { PAGE } from "../images/pagemap.ts";
import { type Piece, partOf } from "../images/page-plan.ts";
import type { Extent } from "../images/resolve.ts";
import { readAhead } from "./pages-ahead.ts";
import { type PagesReader, Scratch, type Wanted } from "./pages-read.ts";

/** A piece of a plan with its bytes and those to compare with, where it has any. Good until the next batch is asked for. */
export type ReadPiece = { readonly piece: Piece; readonly bytes: Buffer | undefined; readonly other: Buffer | undefined };

/** Of one batch at most: 2 MiB from each side, and (by the reader's rule) five times that where pages are scattered. */
const PAGES = 512;
const PIECES = 4096;

/** The pieces of a plan in order, cut where they are long, with their bytes; read a batch ahead of the consumer. */
export async function* readPieces(plan: Iterable<Piece>, reader: PagesReader): AsyncGenerator<readonly ReadPiece[], void> {
  const batches = batched(plan);
  const scratch = [new Scratch(), new Scratch()] as const;
  yield* readAhead(async (turn) => {
    const batch = batches.next().value;
    if (batch === undefined) return null;
    const wanted: Wanted[] = [];
    const places = batch.map((piece) => {
      if (piece.what !== "bytes") return { bytes: -1, other: -1 };
      return {
        bytes: wanted.push(inBytes(piece.at)) - 1,
        other: piece.other === null ? -1 : wanted.push(inBytes(piece.other)) - 1,
      };
    });
    const read = await reader.read(wanted, scratch[turn]);
    return batch.map((piece, i) => ({ piece, bytes: read[places[i]?.bytes ?? -1], other: read[places[i]?.other ?? -1] }));
  });
}

function inBytes({ holder, offset, pages }: Extent): Wanted {
  return { source: holder, offset: offset * PAGE, bytes: pages * PAGE };
}

function* batched(plan: Iterable<Piece>): Generator<readonly Piece[], void> {
  let batch: Piece[] = [];
  let room = PAGES;
  for (const piece of plan) {
    for (let done = 0; done < piece.pages;) {
      const pages = piece.what === "bytes" ? Math.min(piece.pages - done, room) : piece.pages;
      batch.push(partOf(piece, done, pages));
      done += pages;
      if (piece.what === "bytes") room -= pages;
      if (room > 0 && batch.length < PIECES) continue;
      yield batch;
      batch = [];
      room = PAGES;
    }
  }
  if (batch.length > 0) yield batch;
}
