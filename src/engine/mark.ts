import type { JobName } from "../domain/job.ts";
import type { GenerationMark, Ports } from "./ports.ts";

/** Says something of a sealed generation: in the vault first, so that a rebuilt catalogue knows it, then in the catalogue. */
export async function mark(ports: Ports, job: JobName, number: number, said: GenerationMark): Promise<void> {
  const marks = await ports.vault.readMarks(job);
  await ports.vault.writeMarks(job, { ...marks, [number]: { ...marks[String(number)], ...said } });
  await ports.catalogue.markGeneration(job, number, said);
}
