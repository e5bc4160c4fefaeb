/** What one look at the machine found; the values are the adapters', the conclusions are drawn here. */
export type DoctorFacts = {
  readonly root: boolean;
  readonly kernel: string;
  readonly distribution: string | null;
  readonly capabilities: Readonly<Record<string, boolean>>;
  readonly hugePages: string | null;
  readonly runIsTmpfs: boolean;
  readonly clockSynchronised: boolean | null;
  readonly tools: Readonly<Record<string, string | null>>;
  /** The CRIU in use, or why there is none. */
  readonly criu:
    | {
        readonly version: string;
        /** The words to put before its own arguments. */
        readonly command: readonly string[];
        readonly path: string;
        readonly source: string;
        readonly softDirty: boolean;
        readonly cautions: readonly string[];
      }
    | { readonly why: string };
  readonly init: { readonly path: string } | { readonly why: string };
  readonly places: readonly PlaceFacts[];
};

/** What a folder's filesystem can do. `null`: it could not be found out. */
export type PlaceFacts = {
  readonly name: "vault" | "staging";
  readonly folder: string;
  readonly filesystem: string | null;
  readonly freeBytes: number | null;
  readonly writable: boolean;
  readonly holes: boolean | null;
  readonly reflink: boolean | null;
  readonly sync: boolean | null;
};

/** `stops`: no generation can be taken here; `limits`: it works, with less; `good`: nothing to do. */
export type Conclusion = { readonly level: "good" | "limits" | "stops"; readonly what: string; readonly follows: string };

const roomy = 2 ** 30;

/** What follows from the facts, the worst first within each part; pure. */
export function concludeDoctor(facts: DoctorFacts): readonly Conclusion[] {
  return [...aboutCriu(facts), ...aboutMachine(facts), ...facts.places.flatMap(aboutPlace)];
}

export function canTake(conclusions: readonly Conclusion[]): boolean {
  return conclusions.every((one) => one.level !== "stops");
}

function aboutCriu({ criu, init }: DoctorFacts): readonly Conclusion[] {
  const said: Conclusion[] = [];
  if ("why" in criu)
    said.push({
      level: "stops",
      what: `no CRIU that works: ${criu.why}`,
      follows: "`holdfast doctor --fix` installs one beside the system",
    });
  else {
    said.push({
      level: "good",
      what: `CRIU ${criu.version} (${criu.source}: ${criu.path})`,
      follows: "passes its own check on this kernel",
    });
    for (const caution of criu.cautions)
      said.push({ level: "limits", what: caution, follows: "`holdfast doctor --fix` installs a newer one" });
    said.push(
      criu.softDirty
        ? {
            level: "good",
            what: "the kernel tracks written pages (soft-dirty)",
            follows: "increments by --track-mem: short freezes",
          }
        : {
            level: "limits",
            what: "the kernel does not track written pages (no soft-dirty)",
            follows: "each freeze copies all memory; increments are made by comparing pages afterwards, and are as small",
          },
    );
  }
  said.push(
    "why" in init
      ? {
          level: "stops",
          what: `the small init is not there: ${init.why}`,
          follows: "install a C compiler (`apt-get install gcc libc6-dev`), then `holdfast doctor --fix`",
        }
      : {
          level: "good",
          what: `the small init is ready (${init.path})`,
          follows: "jobs get pids of their own and a true exit status",
        },
  );
  return said;
}

function aboutMachine(facts: DoctorFacts): readonly Conclusion[] {
  const said: Conclusion[] = [];
  if (!facts.root)
    said.push({
      level: "stops",
      what: "this is not root",
      follows: "CRIU reads and writes other processes' memory: run it with sudo",
    });
  for (const [name, present] of Object.entries(facts.capabilities)) {
    if (present) continue;
    said.push(
      name === "CAP_SYS_RESOURCE"
        ? {
            level: "limits",
            what: `${name} is missing`,
            follows: "limits above the hard ones cannot be raised; harmless for most jobs",
          }
        : {
            level: "stops",
            what: `${name} is missing`,
            follows: "CRIU cannot work: this root is restricted, as in a container; run on the host",
          },
    );
  }
  for (const [tool, where] of Object.entries(facts.tools)) {
    if (where !== null) continue;
    const compiler = tool === "cc";
    if (compiler && !("why" in facts.init)) continue;
    said.push({
      level: "stops",
      what: `the program ${tool} is missing`,
      follows: compiler ? "install gcc and libc6-dev" : "install util-linux",
    });
  }
  if (!facts.runIsTmpfs)
    said.push({
      level: "limits",
      what: "/run is no tmpfs",
      follows: "CRIU looks at the kernel anew at each start: a tenth of a second",
    });
  if (facts.hugePages === "always") {
    said.push({
      level: "limits",
      what: "transparent huge pages are always on",
      follows: "one written page counts as 512 for soft-dirty; thin takes the equal ones out again",
    });
  }
  if (facts.clockSynchronised === false) {
    said.push({
      level: "limits",
      what: "the clock is not synchronised",
      follows: "`restore --at` goes by this clock; points keep their order by number",
    });
  }
  return said;
}

function aboutPlace(place: PlaceFacts): readonly Conclusion[] {
  const where = `${place.name} ${place.folder}${place.filesystem === null ? "" : ` (${place.filesystem})`}`;
  if (!place.writable)
    return [{ level: "stops", what: `${where} cannot be written`, follows: "mount it for writing, or set another place" }];
  const said: Conclusion[] = [];
  if (place.sync === false)
    said.push({ level: "stops", what: `${where} does not sync`, follows: "nothing kept there would outlive a power cut" });
  const low = place.freeBytes !== null && place.freeBytes < roomy;
  said.push({
    level: low ? "limits" : "good",
    what: `${where}: ${place.freeBytes === null ? "unknown room" : `${Math.floor(place.freeBytes / 2 ** 20)} MiB free`}`,
    follows: low
      ? "less than 1 GiB: a take that does not fit is refused, and every older point stays"
      : "a base needs about the job's memory",
  });
  if (place.reflink === false)
    said.push({
      level: "limits",
      what: `${place.name}: no reflinks`,
      follows: "captured files are copied; on XFS or btrfs they would cost nothing",
    });
  if (place.holes === false)
    said.push({
      level: "limits",
      what: `${place.name}: no hole punching`,
      follows: "space inside files is freed by rewriting them",
    });
  return said;
}
