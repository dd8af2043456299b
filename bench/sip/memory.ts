// Resident memory of running processes, from /proc: proc(5).
import { readdir, readFile } from 'node:fs/promises';

/** Resident memory of the processes and their living children, bytes. */
export async function residentBytes(roots: readonly number[]): Promise<number> {
  let bytes = 0;
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const status = await readFile(`/proc/${name}/status`, 'utf8').catch(() => '');
    const field = (key: string): number => Number(new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0);
    if (roots.includes(Number(name)) || roots.includes(field('PPid'))) bytes += field('VmRSS') * 1024;
  }
  return bytes;
}
