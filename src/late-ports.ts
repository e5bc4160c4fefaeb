import type { Ports } from "./engine/ports.ts";

type Late = Pick<Ports, "criu" | "launcher" | "isolation" | "files">;

/**
 * Ports whose adapters are loaded when one of them is first asked, all together: a command that only reads, and the service while no job is due, never
 * need them, and they bring half of all modules. Together, so that nothing is loaded while a job stands still: the dump itself asks `criu` first.
 */
export function latePorts(load: () => Promise<Late>): Late {
  let loading: Promise<Late> | null = null;
  const late = (): Promise<Late> => (loading ??= load());
  return {
    criu: {
      probe: async () => (await late()).criu.probe(),
      dump: async (request, whileFrozen) => (await late()).criu.dump(request, whileFrozen),
      preDump: async (request) => (await late()).criu.preDump(request),
      restoreWords: async (request) => (await late()).criu.restoreWords(request),
      stillDumping: async (job) => (await late()).criu.stillDumping(job),
    },
    launcher: {
      launch: async (request) => (await late()).launcher.launch(request),
      bringBack: async (request) => (await late()).launcher.bringBack(request),
      find: async (runFolder) => (await late()).launcher.find(runFolder),
      abandon: async (runFolder) => (await late()).launcher.abandon(runFolder),
      ending: async (runFolder) => (await late()).launcher.ending(runFolder),
      endedAt: async (runFolder) => (await late()).launcher.endedAt(runFolder),
    },
    isolation: {
      bringBack: async (request, whileStopped) => (await late()).isolation.bringBack(request, whileStopped),
    },
    files: {
      capture: async (...words) => (await late()).files.capture(...words),
      copyAhead: async (...words) => (await late()).files.copyAhead(...words),
      settle: async (...words) => (await late()).files.settle(...words),
      preflight: async (...words) => (await late()).files.preflight(...words),
      putBack: async (...words) => (await late()).files.putBack(...words),
      undo: async (undoFolder) => (await late()).files.undo(undoFolder),
    },
  };
}
