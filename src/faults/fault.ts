import { table, type FaultCode, type FaultRow } from "./table.ts";

type Placeholder<T extends string> = T extends `${string}{${infer Name}}${infer Rest}` ? Name | Placeholder<Rest> : never;

/** The values a fault's message and remedy speak of: one for each `{name}` in the table's two texts. */
export type FaultDetails<C extends FaultCode> = Record<
  Placeholder<(typeof table)[C]["message"] | (typeof table)[C]["remedy"]>,
  string | number
>;

/**
 * An error a user can meet: a code from {@link table}, the sentence, the command to type next, and
 * (where data is touched) which restore point is still good.
 *
 * Foreign errors are translated into a fault once, in the adapter that met them, and kept as `cause`.
 */
export class Fault extends Error {
  override readonly name = "Fault";
  readonly code: FaultCode;
  readonly remedy: string;
  /** What a further try would find: see {@link FaultRow.retry}. */
  readonly retry: FaultRow["retry"];
  readonly exitStatus: number;
  /** What it means for the user's data, for example `newest point still good: #41`. */
  stillGood: string | undefined;

  private constructor(code: FaultCode, details: Record<string, string | number>, extra: FaultExtra) {
    const row: FaultRow = table[code];
    super(fill(row.message, details), extra.cause === undefined ? undefined : { cause: extra.cause });
    this.code = code;
    this.remedy = fill(row.remedy, details);
    this.retry = row.retry;
    this.exitStatus = row.exit;
    this.stillGood = extra.stillGood;
  }

  static of<C extends FaultCode>(code: C, details: FaultDetails<C>, extra: FaultExtra = {}): Fault {
    return new Fault(code, details, extra);
  }

  /** Says what it means for the user's data, once that is known; the first word stands. */
  because(stillGood: string): this {
    this.stillGood ??= stillGood;
    return this;
  }
}

export type FaultExtra = { readonly cause?: unknown; readonly stillGood?: string };

function fill(text: string, details: Record<string, string | number>): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(details[name] ?? whole));
}
