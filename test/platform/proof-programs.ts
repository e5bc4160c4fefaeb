import type { Place } from "./world.ts";

/** A program of the proof, as it is run both under guard and undisturbed. */
export type Proof = {
  readonly name: string;
  /** What it stands for, as a law's sentence. */
  readonly law: string;
  /** `programs`: folder of the built programs; `unique`: a word no other test uses. */
  command(programs: string, unique: string): readonly string[];
  /** Its exit status, chosen to be seen. */
  readonly status: number;
  /** Files in its working directory that must be bit-identical; a line filter where a program prints times. */
  readonly outputs: readonly string[];
  readonly ignore?: { readonly file: string; readonly lines: RegExp };
  /** Does it print the same on standard output each time? */
  readonly stdout: "compared" | "has times in it";
  readonly place: Place;
  readonly include?: readonly string[];
  /** Files and folders in temporary places that are its own; a reboot takes them away, and so does the proof before each restore. */
  runtime?(unique: string): readonly string[];
  /** Its environment besides the caller's. */
  env?(unique: string): Readonly<Record<string, string>>;
  /** Milliseconds between two generations; at least ten are taken. */
  readonly every: number;
};

/** Long enough under its pauses that it does not end before the last generation; without them each ends in a second or two. */
const paced = ["40000", "5000"];
const melt = (programs: string) => [
  "lmp",
  "-in",
  `${programs}/melt.in`,
  "-var",
  "steps",
  "1500",
  "-var",
  "micros",
  "1000000",
  "-var",
  "programs",
  programs,
];
const meltOutputs = {
  outputs: ["melt.dump", "log.lammps"],
  // LAMMPS prints how long it took, and where; what it computed must be the same.
  ignore: { file: "log.lammps", lines: /time|CPU|Performance|%|^(Pair|Neigh|Comm|Output|Modify|Other) +\|/i },
  stdout: "has times in it",
} as const;
/** OpenMPI's session folder and shared-memory segments, in folders of the test's own: nobody else's may be taken away. */
const openMpi = {
  runtime: (unique: string) => [`/tmp/${unique}`, `/dev/shm/${unique}`],
  env: (unique: string) => ({
    OMPI_MCA_orte_tmpdir_base: `/tmp/${unique}`,
    OMPI_MCA_btl_vader_backing_directory: `/dev/shm/${unique}`,
  }),
} as const;

export const proofs = {
  single: {
    name: "single",
    law: "one process with files written in every way",
    command: (programs) => [`${programs}/single`, ...paced],
    status: 7,
    outputs: ["plain.dat", "append.log", "both.log", "inplace.dat", "mapped.dat", "closed.log"],
    stdout: "compared",
    place: "disk",
    include: ["closed.log"],
    every: 100,
  },
  threads: {
    name: "threads",
    law: "four OpenMP threads",
    command: (programs) => [`${programs}/threads`, "10000", "20000"],
    status: 4,
    outputs: ["threads.out"],
    stdout: "compared",
    place: "disk",
    every: 100,
  },
  pipeline: {
    name: "pipeline",
    law: "three processes joined by pipes",
    command: (programs) => ["/bin/sh", `${programs}/pipeline.sh`, programs, ...paced],
    status: 5,
    outputs: ["pipeline.out"],
    stdout: "compared",
    place: "disk",
    every: 100,
  },
  workers: {
    name: "workers",
    law: "a parent with workers over shared memory, its folders emptied as by a reboot",
    command: (programs, unique) => [`${programs}/workers`, "10000", "20000", unique],
    status: 3,
    outputs: ["workers.out"],
    stdout: "compared",
    place: "temporary",
    runtime: (unique) => [`/dev/shm/${unique}`],
    every: 100,
  },
  sysv: {
    name: "sysv",
    law: "System V shared memory, semaphores and messages",
    command: (programs) => [`${programs}/sysv`, "10000", "20000"],
    status: 6,
    outputs: ["sysv.out"],
    stdout: "compared",
    place: "temporary",
    every: 100,
  },
  fields: {
    name: "fields",
    law: "Python with numpy, its seeded generators and a mapped file",
    command: (programs) => ["/usr/bin/python3", `${programs}/fields.py`, "12000", "10000"],
    status: 9,
    outputs: ["fields.csv", "fields.log", "hist.dat", "field.npy"],
    stdout: "compared",
    place: "disk",
    every: 100,
  },
  lammps: {
    name: "lammps",
    law: "LAMMPS, started plainly, with the helper, the loopback TCP and the session folder it brings along",
    command: melt,
    status: 0,
    ...meltOutputs,
    place: "disk",
    ...openMpi,
    every: 400,
  },
  mpi: {
    name: "mpi",
    law: "LAMMPS on two ranks under mpirun, /dev/shm and OpenMPI's folder emptied as by a reboot",
    command: (programs) => ["mpirun", "--allow-run-as-root", "--oversubscribe", "-np", "2", ...melt(programs)],
    status: 0,
    ...meltOutputs,
    place: "disk",
    ...openMpi,
    every: 400,
  },
} as const satisfies Record<string, Proof>;
