import { proofs } from "../proof-programs.ts";
import { prove } from "../prove.ts";

prove(proofs.sysv);
