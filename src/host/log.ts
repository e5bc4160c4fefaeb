import type { Logger } from "pino";

export type Log = Pick<Logger, "info" | "warn" | "error" | "debug">;

/**
 * JSON lines on standard output, one writer for each thread, written at once so that a thread that ends loses none.
 * Event names (`event`) are stable: `took`, `take-failed`, `missed`, `run-ended`, `service-started` ...
 */
export async function openLog(level: string, base: Readonly<Record<string, unknown>>): Promise<Log> {
  // The command line writes no log, and need not load one.
  const { pino } = await import("pino");
  const log: Log = pino({ level, base, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination({ fd: 1, sync: true }));
  return log;
}

/** For the command line, which speaks for itself. */
export const silentLog: Log = { debug: silence, info: silence, warn: silence, error: silence };

function silence(): void {}
