// The files that the rules of a policy name, as the rules see them: read before, each understood once for the whole policy.
import { dirname, resolve } from 'node:path';
import type { RuleFiles } from './compile-rule.ts';
import { readGeoJson } from './geojson.ts';
import type { Polygon } from './geometry.ts';
import { nameBelow, type PolicyResources } from './policy-resources.ts';

/** Polygons by the name of their file below the folder of the policy. */
export type KnownPolygons = Map<string, readonly Polygon[]>;

/** The text of a file of a policy by its name below the folder, or why there is none. */
export function textOf({ source, unreadable }: PolicyResources, name: string): string | { readonly reason: string } {
  const text = Object.hasOwn(source.files, name) ? source.files[name] : undefined;
  return text ?? { reason: unreadable.get(name) ?? 'does not exist' };
}

/** The folder of a policy, absolute. */
export function folderOf({ source }: PolicyResources): string {
  return dirname(resolve(source.file));
}

/** The files that rules name which stand in the file `from` ('' for the policy file itself). Areas that are understood go into `known`. */
export function ruleFiles(resources: PolicyResources, from: string, known: KnownPolygons): RuleFiles {
  const named = (written: string): string => {
    const name = nameBelow(folderOf(resources), from, written);
    if (name === undefined) throw new Error(`${written} lies outside of the folder of the policy file`);
    return name;
  };
  return {
    polygons: (written) => {
      const name = named(written);
      const polygons = known.get(name);
      if (polygons !== undefined) return polygons;
      const text = textOf(resources, name);
      if (typeof text !== 'string') throw new Error(`${written} ${text.reason}`);
      try {
        const read = readGeoJson(text);
        known.set(name, read);
        return read;
      } catch (error) {
        throw new Error(`${written} ${(error as Error).message}`);
      }
    },
    key: (written) => {
      const key = resources.keys.get(written);
      if (key !== undefined) return key;
      throw new Error(`the key ${written} ${resources.unreadable.get(written) ?? 'was not read'}`);
    },
    stylesheet: (written) => {
      const name = named(written);
      const text = textOf(resources, name);
      if (typeof text !== 'string') throw new Error(`${written} ${text.reason}`);
      const compiled = resources.stylesheets.get(name);
      if (compiled === undefined) throw new Error(`${written} was not compiled`);
      return { name, ...compiled };
    },
  };
}
