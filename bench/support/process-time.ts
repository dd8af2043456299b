// Processor time of running processes, from /proc: proc(5).
import { readdir, readFile } from 'node:fs/promises';

/** Linux reports times in these units per second to programs, on every architecture (USER_HZ). */
const ticksPerSecond = 100;

/** One line of /proc/PID/stat. */
export interface ProcessTimes {
  readonly parent: number;
  /** User and system time of all its threads, seconds. */
  readonly seconds: number;
}

/** Reads a line of /proc/PID/stat. Throws when it is none. */
export function parseStat(line: string): ProcessTimes {
  // the command in parentheses may itself hold parentheses and blanks
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
  const [parent, user, system] = [fields[1], fields[11], fields[12]].map(Number);
  if (parent === undefined || user === undefined || system === undefined || Number.isNaN(parent + user + system)) {
    throw new Error('not a line of /proc/PID/stat');
  }
  return { parent, seconds: (user + system) / ticksPerSecond };
}

/** User and system time that the processes and all their living descendants have used so far, seconds. */
export async function treeSeconds(roots: readonly number[]): Promise<number> {
  const processes = await allProcesses();
  const wanted = new Set(roots);
  // a child can have a lower number than its parent once numbers wrap, so one pass may not do
  for (let before = 0; before !== wanted.size; ) {
    before = wanted.size;
    for (const [pid, { parent }] of processes) if (wanted.has(parent)) wanted.add(pid);
  }
  let seconds = 0;
  for (const pid of wanted) seconds += processes.get(pid)?.seconds ?? 0;
  return seconds;
}

async function allProcesses(): Promise<ReadonlyMap<number, ProcessTimes>> {
  const processes = new Map<number, ProcessTimes>();
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      processes.set(Number(name), parseStat(await readFile(`/proc/${name}/stat`, 'utf8')));
    } catch {
      // it ended while we looked
    }
  }
  return processes;
}
