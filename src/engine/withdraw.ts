import type { JobName } from "../domain/job.ts";
import type { Ports } from "./ports.ts";

/** Offers these generations no more, each with its reason. As `mark` does, but in one write: there may be hundreds. */
export async function withdraw(
  ports: Ports,
  name: JobName,
  expired: readonly { readonly number: number; readonly reason: string }[],
): Promise<void> {
  if (expired.length === 0) return;
  const marks = await ports.vault.readMarks(name);
  const said = expired.map(({ number, reason }) => [number, { ...marks[String(number)], state: "expired", reason }] as const);
  await ports.vault.writeMarks(name, { ...marks, ...Object.fromEntries(said) });
  for (const { number, reason } of expired) await ports.catalogue.markGeneration(name, number, { state: "expired", reason });
}

/** What was said of generations that are gone; else the file of marks would grow for ever. The catalogue still tells why they went. */
export async function dropMarks(ports: Ports, name: JobName): Promise<void> {
  const present = new Set((await ports.vault.sealed(name)).map(String));
  const marks = Object.entries(await ports.vault.readMarks(name));
  const left = marks.filter(([number, said]) => (said.state !== "expired" && said.state !== "consumed") || present.has(number));
  if (left.length < marks.length) await ports.vault.writeMarks(name, Object.fromEntries(left));
}
