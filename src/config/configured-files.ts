// The files that a configuration names, each read once: what was checked is what is used, whatever happens to the file in between.
import { readFileSync, statSync } from 'node:fs';

export interface ConfiguredFiles {
  /** The text of a file as it was when it was asked for first. Throws what reading it threw then. */
  text(file: string): string;
  /** Whether others than its owner can read it. Throws when it is not there. */
  isOpenToOthers(file: string): boolean;
}

/** Files that are read when they are asked for. */
export function readOnce(): ConfiguredFiles {
  const text = remembered((file) => readFileSync(file, 'utf8'));
  const isOpen = remembered((file) => (statSync(file).mode & 0o077) !== 0);
  return { text, isOpenToOthers: isOpen };
}

function remembered<Value>(read: (file: string) => Value): (file: string) => Value {
  const known = new Map<string, () => Value>();
  return (file) => {
    let found = known.get(file);
    if (found === undefined) {
      found = outcome(() => read(file));
      known.set(file, found);
    }
    return found();
  };
}

function outcome<Value>(read: () => Value): () => Value {
  try {
    const value = read();
    return () => value;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}
