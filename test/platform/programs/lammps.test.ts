import { proofs } from "../proof-programs.ts";
import { prove } from "../prove.ts";

// One file, so that they never run side by side: OpenMPI's ranks listen on the same first free ports, and a job must get its own back.
prove(proofs.lammps);
prove(proofs.mpi);
