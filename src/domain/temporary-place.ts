/** Where files live that a reboot, or the end of a batch job, takes away. */
export type Places = {
  /** Folders that are always emptied: `/dev/shm`, `/run`, `/tmp`. Absolute, without a slash at the end. */
  readonly roots: readonly string[];
  /** `$TMPDIR` of the processes, as real paths; never `/`. Unlike a root, such a folder may itself be gone. */
  readonly tmpdirs: readonly string[];
  /** The mounts of the machine; `volatile`: tmpfs or ramfs. */
  readonly mounts: readonly { readonly point: string; readonly volatile: boolean }[];
};

/**
 * The temporary place `path` is in, the outermost if there are several; `null` if none. A disk mounted inside a root
 * (`/run/media/USER/DISK`) is not temporary; nor is the whole system of a diskless node, whose `/` is a tmpfs.
 */
export function temporaryRoot(path: string, places: Places): string | null {
  let mount: Places["mounts"][number] | null = null;
  for (const candidate of places.mounts) {
    if (isWithin(path, candidate.point) && (mount === null || candidate.point.length >= mount.point.length)) mount = candidate;
  }
  const roots = [...places.roots, ...places.tmpdirs].filter((root) => isWithin(path, root));
  const reached = mount === null || mount.volatile ? roots : roots.filter((root) => isWithin(root, mount.point));
  if (mount?.volatile === true && mount.point !== "/") reached.push(mount.point);
  return reached.toSorted((one, other) => one.length - other.length)[0] ?? null;
}

function isWithin(path: string, folder: string): boolean {
  return path === folder || folder === "/" || path.startsWith(`${folder}/`);
}
