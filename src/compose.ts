import os from "node:os";
import path from "node:path";
import { openCatalogue } from "./catalogue/open.ts";
import { setCatalogueAside } from "./catalogue/set-aside.ts";
import { takesAtOnce } from "./domain/takes-at-once.ts";
import type { DoctorFacts, PlaceFacts } from "./engine/doctor.ts";
import type { Catalogue, Events, Ports, Processes, Vault } from "./engine/ports.ts";
import type { RebuildReport } from "./engine/rebuild.ts";
import { Fault } from "./faults/fault.ts";
import { exchangeNames } from "./host/exchange.ts";
import { holesIn } from "./host/holes.ts";
import { machineClock } from "./host/clock.ts";
import { machineCapacity, machineHost } from "./host/host.ts";
import { type NoticeSettings, openNotices } from "./host/notices.ts";
import { machineIds } from "./host/ids.ts";
import type { InitProgram } from "./host/init-program.ts";
import { type Log, openLog, silentLog } from "./host/log.ts";
import { openProcesses } from "./host/processes.ts";
import { searchPath, userEnvironment } from "./host/environment.ts";
import type { ServiceLock } from "./host/service-lock.ts";
import { latePorts } from "./late-ports.ts";
import type { Settings } from "./settings/read.ts";
import { openVault } from "./vault/vault.ts";

/** Everything a door (command, task, service) needs: the ports put together as the settings say. */
export type Engine = {
  readonly ports: Ports;
  readonly settings: Settings;
  readonly log: Log;
  /** How many takes may be under way at one time. */
  readonly takesAtOnce: number;
  /** The environment a job starts with when run as `user` (`null`: as the caller). */
  userEnvironment(user: string | null): Promise<Record<string, string>>;
  /** For the service alone: one for a vault. */
  lockService(): Promise<ServiceLock>;
  /** For the service alone, when nothing has been at work for a while. */
  giveBackMemory(): Promise<void>;
  /** Why the machine is taken to be going down; `null`: it is not. */
  goingDown(): Promise<string | null>;
  close(): Promise<void>;
};

/** Who listens: `events` for a person's screen, `log` for the service's lines (its value goes into each of them). */
export type Listeners = { readonly events?: Events; readonly log?: Readonly<Record<string, string>> };

/**
 * The one place that knows every adapter. A catalogue that is not there yet is built from the vault.
 * Faults: those of opening the vault and the catalogue.
 */
export async function compose(settings: Settings, listeners: Listeners = {}): Promise<Engine> {
  const ports = await allButCatalogue(settings, listeners);
  const { catalogue, fresh } = await openCatalogue({ file: catalogueFile(settings) });
  try {
    if (fresh) await (await import("./engine/rebuild.ts")).rebuild({ vault: ports.vault, catalogue });
    else await requireVault(ports.vault, catalogue, settings);
  } catch (error) {
    await catalogue.close();
    throw error;
  }
  const log = listeners.log ? await openLog(settings.service.logLevel, listeners.log) : silentLog;
  const notices = openNotices(noticeSettings(settings, log));
  return {
    ports: { ...ports, catalogue, notices },
    settings,
    log,
    takesAtOnce: takesAtOnce(settings.limits.takesAtOnce, machineCapacity()),
    userEnvironment,
    lockService: async () => (await import("./host/service-lock.ts")).lockService(settings.vault.path),
    giveBackMemory: async () => (await import("./host/give-back.ts")).giveBackMemory(),
    goingDown: async () => (await import("./host/shutdown.ts")).goingDown("/", machineClock.now()),
    async close() {
      await notices.close();
      await catalogue.close();
    },
  };
}

function noticeSettings(settings: Settings, log: Log): NoticeSettings {
  const { vault, catalogue, notices } = settings;
  return {
    commands: notices,
    host: machineHost.hostname(),
    vault: vault.path,
    variables: { HOLDFAST_VAULT: vault.path, ...(catalogue === "" ? {} : { HOLDFAST_CATALOGUE: catalogue }) },
    folders: ["/run/holdfast", os.tmpdir(), vault.path],
    seconds: 60,
    log,
  };
}

/** The catalogue built anew from the vault; the old file, whatever its state, is kept beside under the name in `setAside`. */
export async function rebuildCatalogue(settings: Settings): Promise<RebuildReport & { readonly setAside: string | null }> {
  const ports = await allButCatalogue(settings, {});
  const opened = await openOrSetAside(catalogueFile(settings));
  try {
    const { rebuild } = await import("./engine/rebuild.ts");
    return { ...(await rebuild({ vault: ports.vault, catalogue: opened.catalogue })), setAside: opened.setAside };
  } finally {
    await opened.catalogue.close();
  }
}

/** What `doctor --fix` does: a CRIU that works here, and the init, with a compiler for it if there is none. Faults: `criu-install-failed`, `compiler-missing`. */
export async function makeReady(settings: Settings, say: (text: string) => void): Promise<void> {
  if (settings.criu.path === "auto") {
    const { installCriu } = await import("./criu/install.ts");
    await installCriu({ ...criuPlaces(settings), aptFolder: "/etc/apt" }, say);
  }
  try {
    await initProgram(cacheRoot(settings));
  } catch (error) {
    if (!(error instanceof Fault) || error.code !== "compiler-missing") throw error;
    await (await import("./host/install-compiler.ts")).installCompiler(say);
    await initProgram(cacheRoot(settings));
  }
}

/** What `doctor` looks at; nothing is changed but for trial files that are removed again. */
export async function examineMachine(settings: Settings): Promise<DoctorFacts> {
  const { inspectMachine } = await import("./host/machine.ts");
  const [machine, criu, init] = [await inspectMachine(), await reportCriu(settings), await reportInit(settings)];
  const { kernel, distribution, capabilities, hugePages, runIsTmpfs, clockSynchronised, tools } = machine;
  const places = [await place("vault", settings.vault.path)];
  if (settings.staging !== "") places.push(await place("staging", settings.staging));
  return {
    root: machineHost.isRoot(),
    kernel,
    distribution,
    capabilities,
    hugePages,
    runIsTmpfs,
    clockSynchronised,
    tools,
    criu,
    init,
    places,
  };
}

/** A disk that is not mounted looks like an empty vault: nothing may be marked lost, nor a new vault made in its place. */
async function requireVault(vault: Vault, catalogue: Catalogue, settings: Settings): Promise<void> {
  if ((await vault.jobNames()).length > 0) return;
  const count = (await catalogue.jobs()).length;
  if (count === 0) return;
  throw Fault.of("vault-not-there", { path: settings.vault.path, file: catalogueFile(settings), count });
}

async function allButCatalogue(settings: Settings, listeners: Listeners): Promise<Omit<Ports, "catalogue" | "notices">> {
  const { limits } = settings;
  const processes = openProcesses();
  const vault = await openVault({
    path: settings.vault.path,
    stagingPath: settings.staging === "" ? null : settings.staging,
    keyPath: settings.vault.key === "" ? null : settings.vault.key,
    random: machineIds.random,
    now: machineClock.now,
    exchange: exchangeNames,
    holes: holesIn,
  });
  return {
    ...latePorts(() => openLate(settings, processes)),
    vault,
    processes,
    host: machineHost,
    clock: machineClock,
    ids: machineIds,
    events: listeners.events ?? { emit: () => undefined },
    limits: {
      dumpTimeoutSeconds: limits.dumpTimeout / 1000,
      restoreTimeoutSeconds: limits.restoreTimeout / 1000,
      stopSeconds: limits.stopTimeout / 1000,
      minFreeBytes: settings.vault.minFree,
    },
    interval: settings.interval,
  };
}

/** What acts on jobs, with all that it brings along. */
async function openLate(settings: Settings, processes: Processes): ReturnType<Parameters<typeof latePorts>[0]> {
  const [{ openCriu }, { explain }, { openLauncher }, { openIsolation }, { openFiles }] = await Promise.all([
    import("./criu/criu.ts"),
    import("./criu/log.ts"),
    import("./host/launcher.ts"),
    import("./host/drill/isolation.ts"),
    import("./host/files/files.ts"),
  ]);
  const program = () => initProgram(cacheRoot(settings));
  const launcher = openLauncher(program, processes, explain);
  const criu = openCriu({
    ...criuPlaces(settings),
    hook: async () => (await program()).hook,
    lockFolder: path.join(settings.vault.path, "locks"),
    socketFolders: ["/run/holdfast", os.tmpdir()],
  });
  const files = openFiles({ temporaryRoots: settings.files.temporary });
  return { criu, launcher, isolation: openIsolation(launcher), files };
}

async function initProgram(cache: string): Promise<InitProgram> {
  return (await import("./host/init-program.ts")).initProgram(cache);
}

async function openOrSetAside(file: string) {
  try {
    return { ...(await openCatalogue({ file })), setAside: null };
  } catch (error) {
    if (!(error instanceof Fault) || error.code !== "catalogue-damaged") throw error;
    const setAside = await setCatalogueAside(file, String(machineClock.now()));
    return { ...(await openCatalogue({ file })), setAside };
  }
}

async function reportCriu(settings: Settings): Promise<DoctorFacts["criu"]> {
  try {
    const { openCriu } = await import("./criu/criu.ts");
    return await openCriu({ ...criuPlaces(settings), hook: async () => "", lockFolder: "", socketFolders: [] }).report();
  } catch (error) {
    if (error instanceof Fault) return { why: error.message };
    throw error;
  }
}

async function reportInit(settings: Settings): Promise<DoctorFacts["init"]> {
  try {
    return { path: (await initProgram(cacheRoot(settings))).init };
  } catch (error) {
    if (error instanceof Fault) return { why: error.message };
    throw error;
  }
}

async function place(name: PlaceFacts["name"], folder: string): Promise<PlaceFacts> {
  const { inspectFolder } = await import("./host/folder-facts.ts");
  const found = await inspectFolder(folder);
  const { filesystem, freeBytes, writable } = found;
  return { name, folder, filesystem, freeBytes, writable, holes: found.punchesHoles, reflink: found.reflinks, sync: found.syncs };
}

function catalogueFile(settings: Settings): string {
  return settings.catalogue === "" ? path.join(settings.vault.path, "catalogue.sqlite") : settings.catalogue;
}

function cacheRoot(settings: Settings): string {
  return settings.criu.prefixRoot;
}

function criuPlaces(settings: Settings) {
  return { setting: settings.criu.path, cacheRoot: cacheRoot(settings), searchPath: searchPath() };
}
