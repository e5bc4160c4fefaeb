import type { Command } from "commander";
import { parseJobName } from "../../domain/name.ts";
import { formatSize } from "../../domain/size.ts";
import { diskUse, type DiskUse, type GenerationUse } from "../../engine/disk-use.ts";
import { print } from "../print.ts";
import { table } from "../render/table.ts";
import { type Common, type Session, subcommand } from "../session.ts";

export function addDu(root: Command, session: Session): void {
  subcommand(root, "du [name]", "what each generation takes, and what expiring it would free", "holdfast du lj").action(
    async (word: string | undefined, options: Common) => {
      const { ports } = await session.engine(options);
      const names = word === undefined ? (await ports.catalogue.jobs()).map((job) => job.name) : [parseJobName(word)];
      const uses: DiskUse[] = [];
      for (const name of names) uses.push(await diskUse(ports, name));
      print(options.json === true, { jobs: uses.map(useJson) }, uses.map(useText).join("\n\n"));
    },
  );
}

function useJson({ job, bytes, generations }: DiskUse): Record<string, unknown> {
  const each = generations.map(({ generation: { number, kind, parent, state, unpackedBytes }, own, shared, frees, why }) => ({
    ...{ number, kind, parent, state, unpackedBytes: unpackedBytes ?? null },
    ...{ own, shared, frees, why },
  }));
  return { job, bytes, generations: each };
}

function useText({ job, bytes, generations }: DiskUse): string {
  if (generations.length === 0) return `${job} has no generation`;
  const rows = generations.map(({ generation, own, shared, frees }) => [
    String(generation.number),
    generation.kind,
    generation.parent === null ? "-" : String(generation.parent),
    ...[own, shared, frees].map((size) => (size === null ? "-" : sizeText(size))),
    packedText(generation),
  ]);
  const unread = generations.flatMap(({ generation, why }: GenerationUse) =>
    why === null ? [] : [`${generation.number}: ${why}`],
  );
  const head = ["point", "kind", "on", "own", "shared", "expiring frees", "state"];
  return [`${job}: ${formatSize(bytes)}`, table(head, rows), ...unread].join("\n");
}

function packedText({ state, unpackedBytes }: GenerationUse["generation"]): string {
  return unpackedBytes === undefined ? state : `${state}, packed (unpacked ${formatSize(unpackedBytes)})`;
}

/** Several generations may stand on one: each would take over its own copy. */
function sizeText(bytes: number): string {
  return bytes < 0 ? `-${formatSize(-bytes)}` : formatSize(bytes);
}
