/** Small disks for a test, where this process may mount them: root may, most others may not. */

import { spawnSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, writeSync } from "node:fs";

const MIB = 2 ** 20;
const BLOCK = Buffer.alloc(64 * 1024);
// By its path, as it is no package's.
const [MOUNT, UMOUNT] = ["/bin/mount", "/bin/umount"];

/** Makes the folder and mounts a disk of so many MiB on it; false where this process may not. */
export function mountDisk(path: string, sizeMiB: number): boolean {
  mkdirSync(path, { recursive: true });
  return spawnSync(MOUNT, ["-t", "tmpfs", "-o", `size=${sizeMiB}m`, "tmpfs", path]).status === 0;
}

/** Changes a mounted disk: `size=48m`, `ro`. */
export function remountDisk(path: string, change: string): boolean {
  return spawnSync(MOUNT, ["-o", `remount,${change}`, path]).status === 0;
}

export function unmountDisk(path: string): void {
  spawnSync(UMOUNT, ["-l", path]);
}

/** Writes a file of so many MiB, or until the disk takes no more. */
export function ballast(path: string, sizeMiB: number): void {
  const file = openSync(path, "w");
  try {
    for (let written = 0; written < sizeMiB * MIB; ) written += writeSync(file, BLOCK);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
  } finally {
    closeSync(file);
  }
}
