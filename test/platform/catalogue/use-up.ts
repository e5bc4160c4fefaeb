import { openCatalogue } from "../../../src/catalogue/open.ts";
import { Fault } from "../../../src/faults/fault.ts";
import { aJob } from "../../contract/catalogue-values.ts";

/** Puts jobs until that fails; says how, and whether everything that went in before is still there. */
const [file = ""] = process.argv.slice(2);
const answer = await use().catch((error: unknown) => ({ fault: codeOf(error) }));
process.stdout.write(JSON.stringify(answer));

async function use(): Promise<{ readonly fault: string; readonly whole: boolean }> {
  const { catalogue } = await openCatalogue({ file });
  for (let put = 0; ; put += 1) {
    const fault = await catalogue.putJob(aJob(`job-${put}`, { cwd: "x".repeat(3000) })).then(() => null, codeOf);
    if (fault === null) continue;
    const jobs = await catalogue.jobs();
    await catalogue.close();
    return { fault, whole: put > 0 && jobs.length === put };
  }
}

function codeOf(error: unknown): string {
  return error instanceof Fault ? error.code : String(error);
}
