// Which schemas exist, which files they are made of, and which root element each one wants.

import { readdir, readFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { namespaces } from './names.ts';

/** Schemas that come with the gateway. */
export type BuiltInSchema = keyof typeof roots;

/** The one root element each schema accepts; without it any global element would do. */
const roots = {
  groups: [namespaces.listService, 'group'],
  'resource-lists': [namespaces.resourceLists, 'resource-lists'],
  'mcptt-info': [namespaces.mcpttInfo, 'mcpttinfo'],
  gmop: [namespaces.gmop, 'document'],
  'xcap-caps': [namespaces.xcapCaps, 'xcap-caps'],
  'xcap-directory': [namespaces.xcapDirectory, 'xcap-directory'],
  'xcap-error': [namespaces.xcapError, 'xcap-error'],
  'xcap-diff': [namespaces.xcapDiff, 'xcap-diff'],
} as const;

/** Everything needed to compile one schema, in a form that can be sent to a worker. */
export interface SchemaSource {
  /** File contents by name. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  readonly entry: string;
  readonly root?: readonly [namespace: string, localName: string] | undefined;
}

// The same distance from src/xml/ as from dist/xml/.
const schemaDirectory = fileURLToPath(new URL('../../schemas/', import.meta.url));

/** Well-known location of the schema of the xml namespace, as published schemas import it. */
const publishedXmlSchema = 'http://www.w3.org/2001/xml.xsd';

async function filesOf(directory: string): Promise<Map<string, Uint8Array>> {
  const names = (await readdir(directory)).filter((name) => name.endsWith('.xsd'));
  return new Map(await Promise.all(names.map(async (name) => [name, await readFile(join(directory, name))] as const)));
}

/**
 * Reads the schemas of the gateway and those of an operator: schema name -> path of an XSD file, which may include others of its folder.
 * Throws when a file cannot be read.
 */
export async function readSchemaSources(
  operatorSchemas: ReadonlyMap<string, string>,
): Promise<Map<string, SchemaSource>> {
  const own = await filesOf(schemaDirectory);
  const sources = new Map<string, SchemaSource>();
  for (const [name, root] of Object.entries(roots)) sources.set(name, { files: own, entry: `${name}.xsd`, root });
  const xml = own.get('xml.xsd');
  for (const [name, path] of operatorSchemas) {
    const files = new Map([...own, ...(await filesOf(dirname(path))), [basename(path), await readFile(path)]]);
    sources.set(name, { files, entry: basename(path) });
    if (xml !== undefined) files.set(publishedXmlSchema, xml);
  }
  return sources;
}
