// Processor time of running processes, from /proc: proc(5).
import { readdir, readFile } from 'node:fs/promises';

/** Linux reports times in these units per second to programs, on every architecture (USER_HZ). */
const ticksPerSecond = 100;

/** One line of /proc/PID/stat. */
export interface ProcessTimes {
  readonly parent: number;
  /** User and system time of all its threads, seconds. */
  readonly seconds: number;
  /** The same of its children that have ended, seconds. */
  readonly endedChildren: number;
}

/** Reads a line of /proc/PID/stat. Throws when it is none. */
export function parseStat(line: string): ProcessTimes {
  // the command in parentheses may itself hold parentheses and blanks
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
  const field = (index: number): number => {
    const value = Number(fields[index]);
    if (Number.isNaN(value)) throw new Error('not a line of /proc/PID/stat');
    return value;
  };
  return {
    parent: field(1),
    seconds: (field(11) + field(12)) / ticksPerSecond,
    endedChildren: (field(13) + field(14)) / ticksPerSecond,
  };
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

/** User and system time of this process and of its children that have ended, seconds. */
export async function ownSeconds(): Promise<number> {
  const { seconds, endedChildren } = parseStat(await readFile('/proc/self/stat', 'utf8'));
  return seconds + endedChildren;
}

/** User and system time of everything on this machine since it started, and what its host gave to others, seconds. */
export async function machineSeconds(): Promise<number> {
  const [line = ''] = (await readFile('/proc/stat', 'utf8')).split('\n', 1);
  const [user = 0, nice = 0, system = 0, , , , , steal = 0] = line.split(/\s+/).slice(1).map(Number);
  return (user + nice + system + steal) / ticksPerSecond;
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
