import { execa } from "execa";
import { Fault } from "../faults/fault.ts";

export type User = {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
  readonly shell: string;
};

/** Asks the name service (`getent`), so that LDAP users count too. Fault: `user-unknown`. */
export async function findUser(nameOrUid: string): Promise<User> {
  const done = await execa("getent", ["passwd", nameOrUid], { reject: false, stdin: "ignore" });
  const [name, , uid, gid, , home, shell] = done.stdout.trim().split(":");
  if (done.exitCode !== 0 || !name) throw Fault.of("user-unknown", { user: nameOrUid });
  return { name, uid: Number(uid), gid: Number(gid), home: home || "/", shell: shell || "/bin/sh" };
}
