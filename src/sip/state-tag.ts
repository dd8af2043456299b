// The entity tag of what a subscriber was told (RFC 5839): equal for equal resources in equal state, whoever subscribed. It is made of a
// digest that follows each change, because making it anew for a large state would cost more than it saves.
import { hash } from 'node:crypto';
import type { ResourceEntry } from './resource-entry.ts';

/** A digest of a set of lines, whatever their order: the sum of their hashes in eight lanes of 32 bits. */
export class StateDigest {
  readonly #lanes: Uint32Array;

  constructor(from?: StateDigest) {
    this.#lanes = from === undefined ? new Uint32Array(8) : from.#lanes.slice();
  }

  add(line: string): void {
    const hashed = hash('sha256', line, 'buffer');
    for (let lane = 0; lane < 8; lane++) this.#lanes[lane] = (this.#lanes[lane] ?? 0) + hashed.readUInt32LE(lane * 4);
  }

  /** Takes out a line that was added. */
  remove(line: string): void {
    const hashed = hash('sha256', line, 'buffer');
    for (let lane = 0; lane < 8; lane++) this.#lanes[lane] = (this.#lanes[lane] ?? 0) - hashed.readUInt32LE(lane * 4);
  }

  get text(): string {
    return this.#lanes.join();
  }
}

/** One resource and its entity tag, or the digest of a component, as a line. */
export function stateLine(watch: string, tag: string): string {
  return `${watch}\n\n${tag}`;
}

/** The digest of what was told, by watch key. */
export function digestOf(told: ReadonlyMap<string, string>): StateDigest {
  const digest = new StateDigest();
  for (const [watch, tag] of told) digest.add(stateLine(watch, tag));
  return digest;
}

/** The tag of a state; RFC 5875 clause 4.7: the order of the URIs does not matter. */
export function stateTag(entries: readonly ResourceEntry[], told: StateDigest): string {
  const resources = entries.length === 1 ? entries[0]?.sel : entriesDigest(entries).text;
  return hash('sha256', `${resources}\n${told.text}`, 'hex').slice(0, 24);
}

const known = new WeakMap<readonly ResourceEntry[], StateDigest>();

function entriesDigest(entries: readonly ResourceEntry[]): StateDigest {
  let digest = known.get(entries);
  if (digest === undefined) {
    digest = new StateDigest();
    for (const sel of new Set(entries.map((entry) => entry.sel))) digest.add(sel);
    known.set(entries, digest);
  }
  return digest;
}

/** Whether two lists name the same resources, in whatever order. */
export function sameEntries(one: readonly ResourceEntry[], other: readonly ResourceEntry[]): boolean {
  const names = new Set(one.map((entry) => entry.sel));
  return other.every((entry) => names.has(entry.sel)) && new Set(other.map((entry) => entry.sel)).size === names.size;
}
