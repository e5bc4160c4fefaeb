import type { Command } from "commander";
import { parseJobName } from "../../domain/name.ts";
import { formatSize } from "../../domain/size.ts";
import { pack, type PackReport } from "../../engine/pack.ts";
import { unpack, type UnpackReport } from "../../engine/unpack.ts";
import { print } from "../print.ts";
import { type Common, type Session, subcommand } from "../session.ts";
import { wholeNumber } from "./restore.ts";

type Options = Common & { point?: string; dryRun?: true };

export function addPack(root: Command, session: Session): void {
  subcommand(root, "pack <name>", "pack old points into one file each; a restore unpacks them", "holdfast pack lj --dry-run")
    .option("--point <number>", "this point, whatever its age (default: all older than `compress.after`)")
    .option("--dry-run", "say what would be packed, and why")
    .action(async (word: string, options: Options) => {
      const name = parseJobName(word);
      const engine = await session.engine(options, options.dryRun ? undefined : "pack");
      const point = options.point === undefined ? null : wholeNumber(options.point, "--point");
      const request = { point, after: engine.settings.compress.after };
      const report = await pack(engine.ports, name, request, options.dryRun ? "plan" : "perform");
      print(options.json === true, { job: name, ...packJson(report) }, packText(name, report));
    });
}

export function addUnpack(root: Command, session: Session): void {
  subcommand(root, "unpack <name>", "make plain CRIU directories of packed points again", "holdfast unpack lj --point 7")
    .option("--point <number>", "this point and what it stands on (default: all)")
    .action(async (word: string, options: Options) => {
      const name = parseJobName(word);
      const engine = await session.engine(options, "unpack");
      const report = await unpack(engine.ports, name, options.point === undefined ? null : wholeNumber(options.point, "--point"));
      print(options.json === true, { job: name, ...report }, `${name}: ${unpackText(report)}`);
    });
}

function packJson({ plan, done }: PackReport): Record<string, unknown> {
  const plain = ({ number, why }: PackReport["plan"]["pack"][number]) => ({ number, why });
  return { pack: plan.pack.map(plain), left: plan.left.map(plain), done };
}

function packText(name: string, { plan, done }: PackReport): string {
  if (done === null) {
    const lines = [...plan.pack.map((one) => ({ ...one, what: "packed" })), ...plan.left.map((one) => ({ ...one, what: "left" }))];
    const sorted = lines
      .toSorted((a, b) => a.number - b.number)
      .map(({ number, what, why }) => `  point ${number}: ${what} (${why})`);
    return [`${name}: ${plan.pack.length} would be packed`, ...sorted].join("\n");
  }
  if (done.length === 0) return `${name}: nothing to pack; \`holdfast pack ${name} --dry-run\` says why`;
  const lines = done.map(({ number, ...sizes }) => `  point ${number}: ${sizesText(sizes)}`);
  const sum = (of: "bytesBefore" | "bytesAfter"): number => done.reduce((all, one) => all + one[of], 0);
  return [`${name}: ${sizesText({ bytesBefore: sum("bytesBefore"), bytesAfter: sum("bytesAfter") })}`, ...lines].join("\n");
}

function unpackText({ unpacked, ...sizes }: UnpackReport): string {
  if (unpacked.length === 0) return "nothing there is packed";
  return `${unpacked.length === 1 ? "point" : "points"} ${unpacked.join(", ")} unpacked; ${sizesText(sizes)}`;
}

function sizesText({ bytesBefore, bytesAfter }: { readonly bytesBefore: number; readonly bytesAfter: number }): string {
  return `${formatSize(bytesBefore)} before, ${formatSize(bytesAfter)} now`;
}
