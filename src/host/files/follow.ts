import { lstatSync, readlinkSync } from "node:fs";
import { dirname, join, resolve, sep } from "node:path";

/**
 * The real path of `path`, as `realpath` gives it, but `null` if a link on the way belongs to somebody who is neither root
 * nor the owner of what it leads to. Root reads and later writes what it finds this way: a user's link to `/etc/shadow` must not
 * lead there. (The same thought as Linux's fs.protected_symlinks.) `null` also if nothing is there.
 */
export function followTrusted(path: string): string | null {
  const linkOwners = new Set<number>();
  let current = resolve(path);
  // As many links as Linux itself follows in one path. (path_resolution(7))
  for (let links = 0; links < 40; links++) {
    const link = firstLink(current);
    if (link === null) {
      const stats = lstatSync(current, { throwIfNoEntry: false });
      return stats !== undefined && [...linkOwners].every((owner) => owner === 0 || owner === stats.uid) ? current : null;
    }
    linkOwners.add(link.uid);
    current = join(resolve(dirname(link.path), readlinkSync(link.path)), current.slice(link.path.length));
  }
  return null;
}

function firstLink(path: string): { readonly path: string; readonly uid: number } | null {
  const names = path.split(sep).slice(1);
  for (let length = 1; length <= names.length; length++) {
    const prefix = sep + names.slice(0, length).join(sep);
    const stats = lstatSync(prefix, { throwIfNoEntry: false });
    if (stats === undefined) return null;
    if (stats.isSymbolicLink()) return { path: prefix, uid: stats.uid };
  }
  return null;
}
