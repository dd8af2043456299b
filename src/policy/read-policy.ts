// Reads a policy and every file that it names: included policies, areas, stylesheets, keys. Only files below the folder of the policy
// are read, keys excepted; what cannot be read is remembered with its reason and shown at the key that names it.
import { randomBytes } from 'node:crypto';
import { readFile, realpath, stat, writeFile } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative, resolve } from 'node:path';
import type { PolicySource } from './policy.ts';
import { PolicyUnreadable } from './policy-problems.ts';
import { type CompiledStylesheet, nameBelow, type PolicyResources } from './policy-resources.ts';
import type { PolicyParser } from './policy-text.ts';
import { shortestKey } from './pseudonym-seal.ts';

/** Bytes of one file, and of a policy text, at most. */
const longestFile = 8 * 1024 * 1024;
const longestPolicy = 1024 * 1024;
/** Files of one policy at most. */
const mostFiles = 100;

/** Where a key is when a rule does not say. */
export const usualKey = 'pseudonym.key';

/** Compiles the text of a stylesheet. */
export type StylesheetCompiler = (text: string) => Promise<CompiledStylesheet>;

interface References {
  readonly includes: readonly string[];
  readonly areas: readonly string[];
  readonly stylesheets: readonly string[];
  readonly keys: readonly string[];
}

/** What policies are read with. */
export interface PolicyReading {
  readonly compile: StylesheetCompiler;
  readonly parse: PolicyParser;
}

/** Reads a policy file and what it names. Rejects with PolicyUnreadable when the file itself cannot be read. */
export async function readPolicy(file: string, reading: PolicyReading): Promise<PolicyResources> {
  const text = await readText(file, longestPolicy).catch((error: unknown) => {
    throw new PolicyUnreadable(file, reasonOf(error));
  });
  const folder = dirname(resolve(file));
  const files: Record<string, string> = {};
  const unreadable = new Map<string, string>();
  await gather(folder, '', text, files, unreadable, reading.parse);
  return withKeysAndStylesheets({ file, text, files }, unreadable, reading, true);
}

/**
 * The resources of a policy whose texts are kept elsewhere; its keys are read from the folder of `source.file`. Rejects with
 * PolicyUnreadable for texts that would not be read from files.
 */
export async function resourcesOf(source: PolicySource, reading: PolicyReading): Promise<PolicyResources> {
  checkSizes(source);
  // A key that is missing now is not made: what was activated with another one would change all its pseudonyms.
  return withKeysAndStylesheets(source, new Map(), reading, false);
}

/** Throws PolicyUnreadable for texts that would not be read from files. */
export function checkSizes(source: PolicySource): void {
  const names = Object.keys(source.files);
  if (names.length > mostFiles) throw new PolicyUnreadable(source.file, `has more than ${mostFiles} files`);
  const texts: readonly (readonly [string, string, number])[] = [
    [source.file, source.text, longestPolicy],
    ...names.map((name) => [name, source.files[name] ?? '', longestFile] as const),
  ];
  for (const [name, text, limit] of texts) {
    if (Buffer.byteLength(text) > limit) throw new PolicyUnreadable(name, `is larger than ${limit} bytes`);
  }
}

async function gather(
  folder: string,
  from: string,
  text: string,
  files: Record<string, string>,
  unreadable: Map<string, string>,
  parse: PolicyParser,
): Promise<void> {
  const { includes, areas, stylesheets } = referencesIn(text, parse);
  for (const written of new Set([...includes, ...areas, ...stylesheets])) {
    const name = nameBelow(folder, from, written);
    if (name === undefined || Object.hasOwn(files, name) || unreadable.has(name)) continue;
    if (Object.keys(files).length >= mostFiles) {
      unreadable.set(name, `is one file too many: ${mostFiles} are read`);
      continue;
    }
    try {
      files[name] = await readBelow(folder, name, includes.includes(written) ? longestPolicy : longestFile);
    } catch (error) {
      unreadable.set(name, reasonOf(error));
      continue;
    }
    if (includes.includes(written)) await gather(folder, name, files[name] ?? '', files, unreadable, parse);
  }
}

async function withKeysAndStylesheets(
  source: PolicySource,
  unreadable: Map<string, string>,
  { compile, parse }: PolicyReading,
  makeKey: boolean,
): Promise<PolicyResources> {
  const folder = dirname(resolve(source.file));
  const keys = new Map<string, Uint8Array>();
  const stylesheets = new Map<string, CompiledStylesheet>();
  const texts: [string, string][] = [['', source.text]];
  for (const [from, text] of texts) {
    const references = referencesIn(text, parse);
    for (const written of references.includes) {
      const name = nameBelow(folder, from, written);
      const included = name === undefined || !Object.hasOwn(source.files, name) ? undefined : source.files[name];
      const known = texts.some(([other]) => other === name);
      if (name !== undefined && included !== undefined && !known) texts.push([name, included]);
    }
    for (const written of references.stylesheets) {
      const name = nameBelow(folder, from, written);
      const sheet = name === undefined || !Object.hasOwn(source.files, name) ? undefined : source.files[name];
      if (name !== undefined && sheet !== undefined && !stylesheets.has(name))
        stylesheets.set(name, await compile(sheet));
    }
    for (const written of references.keys) {
      if (keys.has(written) || unreadable.has(written)) continue;
      try {
        keys.set(written, await readKey(resolve(folder, written), makeKey && written === usualKey));
      } catch (error) {
        unreadable.set(written, reasonOf(error));
      }
    }
  }
  return { source, unreadable, keys, stylesheets };
}

/** The files that the text of a policy names; whatever does not have the shape of one is left to the check of that text. */
function referencesIn(text: string, parse: PolicyParser): References {
  const includes: string[] = [];
  const areas: string[] = [];
  const stylesheets: string[] = [];
  const keys: string[] = [];
  const policy = record(parse('', text).value);
  const add = (list: string[], value: unknown): void => {
    if (typeof value === 'string' && value !== '') list.push(value);
  };
  for (const one of listOf(policy.include)) add(includes, one);
  for (const rule of listOf(policy.rules).map(record)) {
    add(includes, rule.include);
    add(areas, record(rule.areas).keepWithin);
    add(areas, record(rule.areas).drop);
    add(stylesheets, rule.stylesheet);
    if (rule.pseudonym !== undefined) add(keys, record(rule.pseudonym).key ?? usualKey);
  }
  return { includes, areas, stylesheets, keys };
}

async function readBelow(folder: string, name: string, limit: number): Promise<string> {
  const full = join(folder, name);
  const real = relative(await realpath(folder), await realpath(full));
  // A link may lead out where no name does.
  if (real.startsWith('..') || isAbsolute(real)) throw new Error('lies outside of the folder of the policy file');
  return readText(full, limit);
}

async function readText(file: string, limit: number): Promise<string> {
  const found = await stat(file);
  if (!found.isFile()) throw new Error('is no file');
  if (found.size > limit) throw new Error(`is larger than ${limit} bytes`);
  return readFile(file, 'utf8');
}

/** The bytes of a key. Only the usual one is made when it is missing: a name that somebody wrote may be mistyped. */
async function readKey(file: string, make: boolean): Promise<Uint8Array> {
  let text: string;
  try {
    text = await readText(file, 64 * 1024);
  } catch (error) {
    if (!make || (error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    text = `${randomBytes(32).toString('base64')}\n`;
    await writeFile(file, text, { mode: 0o600, flag: 'wx' }).catch(async (failure: NodeJS.ErrnoException) => {
      if (failure.code !== 'EEXIST') throw new Error(`is missing and cannot be made: ${failure.message}`);
      text = await readText(file, 64 * 1024);
    });
  }
  const key = Buffer.from(text.trim());
  if (key.length < shortestKey) throw new Error(`is too short for a key: ${shortestKey} characters are the least`);
  return key;
}

function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return 'does not exist';
  return code === undefined ? message : `cannot be read: ${message}`;
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
