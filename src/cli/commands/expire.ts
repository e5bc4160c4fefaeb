import type { Command } from "commander";
import type { Engine } from "../../compose.ts";
import type { JobName } from "../../domain/job.ts";
import { formatSize } from "../../domain/size.ts";
import { formatTime } from "../../domain/time.ts";
import { parseJobName } from "../../domain/name.ts";
import type { ExpireReport } from "../../engine/expire.ts";
import { findJob } from "../../engine/find-job.ts";
import type { GiveUpReport } from "../../engine/give-up-damaged.ts";
import { planExpiry } from "../../engine/plan-expiry.ts";
import { print } from "../print.ts";
import { table } from "../render/table.ts";
import { type Common, type Session, subcommand } from "../session.ts";

type Options = Common & { dryRun?: true; damaged?: true };

export function addExpire(root: Command, session: Session): void {
  subcommand(
    root,
    "expire <name>",
    "withdraw the points its policy does not keep, and free their space",
    "holdfast expire lj --dry-run",
  )
    .option("--dry-run", "say what stays and what goes, and why; change nothing")
    .option("--damaged", "give up, in place of that, what is damaged or stands on damage")
    .action(async (word: string, options: Options) => {
      const name = parseJobName(word);
      const engine = await session.engine(options, options.dryRun ? undefined : "expire");
      const how = options.dryRun ? "plan" : "perform";
      if (options.damaged) {
        const { giveUpDamaged } = await import("../../engine/give-up-damaged.ts");
        const report = await giveUpDamaged(engine.ports, name, how);
        print(options.json === true, { job: name, ...report }, givenUpText(report));
        return;
      }
      const report = options.dryRun ? await plan(engine, name) : await act(engine, name);
      print(
        options.json === true,
        { job: name, dryRun: options.dryRun === true, ...report.plan, done: report.done },
        expireText(report, engine.settings.zone),
      );
    });
}

/** Without what it takes to carry it out: there may be ten thousand points to think about. */
async function plan({ ports, settings }: Engine, name: JobName): Promise<ExpireReport> {
  return { ...(await planExpiry(ports, await findJob(ports, name), settings.zone)), done: null };
}

async function act({ ports, settings }: Engine, name: JobName): Promise<ExpireReport> {
  const { expire } = await import("../../engine/expire.ts");
  return expire(ports, name, settings.zone, "perform");
}

function givenUpText({ given, held, done }: GiveUpReport): string {
  if (given.length + held.length === 0) return "nothing is damaged";
  return [
    ...given.map(({ number, why }) => `${number} ${done ? "is gone" : "would go"}: ${why}`),
    ...held.map((number) => `${number} stays: it is held, or a held one stands on it`),
    ...(done ? [] : ["nothing was changed (--dry-run)"]),
  ].join("\n");
}

function expireText({ plan, points, done }: ExpireReport, zone: string): string {
  const times = new Map(points.map((one) => [one.number, formatTime(one.takenAt, zone)]));
  const rows = [
    ...plan.kept.map(({ number, reasons }) => ({ number, what: "stays", why: reasons.join(", ") })),
    ...plan.expired.map(({ number, reason }) => ({ number, what: "goes", why: reason })),
  ].toSorted((a, b) => a.number - b.number);
  const lines = rows.map(({ number, what, why }) => [String(number), times.get(number) ?? "", what, why]);
  const after = done
    ? [`${done.swept} swept, ${done.folded} folded: ${formatSize(done.bytesBefore)} before, ${formatSize(done.bytesAfter)} now`]
    : ["nothing was changed (--dry-run)"];
  const spared = plan.spared.map(({ number, why }) => `${number} is not deleted: ${why}`);
  return [table(["point", "taken", "", "why"], lines), ...spared, ...after].join("\n");
}
