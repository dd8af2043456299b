// The picture in docs/ARCHITECTURE.md as a check: which room may import which, who may use which library, and no circles.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';

const source = fileURLToPath(new URL('../src/', import.meta.url));

/** Rooms that each room may import beside itself. `config` stands for the schema types; `refusals` is the one table, `folders` makes some, `postgres-url` reads one. */
const arrows: Readonly<Record<string, readonly string[]>> = {
  refusals: [],
  folders: [],
  'postgres-url': [],
  xml: ['identity', 'config', 'refusals'],
  store: ['folders', 'postgres-url'],
  identity: ['config', 'refusals'],
  documents: ['store', 'xml', 'identity', 'config', 'refusals'],
  policy: ['xml', 'identity', 'config', 'refusals'],
  interconnect: ['documents', 'policy', 'store', 'xml', 'identity', 'config', 'refusals'],
  xcap: ['interconnect', 'documents', 'store', 'xml', 'identity', 'config', 'refusals'],
  'sip/engine': [],
  sip: ['sip/engine', 'interconnect', 'documents', 'store', 'xml', 'identity', 'config', 'refusals'],
  manage: ['interconnect', 'documents', 'policy', 'store', 'xml', 'identity', 'config', 'refusals'],
  config: ['identity', 'refusals', 'folders', 'postgres-url'],
  demo: [],
  gateway: ['*'],
  main: ['*'],
};

/** Libraries that only one room may touch. */
const keepers: Readonly<Record<string, string>> = {
  'libxml2-wasm': 'xml',
  xmlbuilder2: 'xml',
  'fast-xml-parser': 'xml',
  'node:sqlite': 'store',
  pg: 'store',
  'drachtio-srf': 'sip',
  express: 'manage',
  'prom-client': 'manage',
};

interface Import {
  readonly from: string;
  readonly to: string;
  readonly typeOnly: boolean;
}

function sourceFiles(folder: string): readonly string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return sourceFiles(path);
    return /\.ts$/.test(entry.name) && !/\.(test|testkit|d)\.ts$/.test(entry.name) ? [path] : [];
  });
}

function importsOf(file: string): readonly Import[] {
  const text = readFileSync(file, 'utf8');
  const found = [
    ...text.matchAll(/^(?:import|export)\s+(type\s)?(?:[^'";]*?\sfrom\s+)?'([^']+)'/gm),
    ...text.matchAll(/()\bimport\('([^']+)'\)/g),
  ];
  return found.map((match) => {
    const specifier = match[2] ?? '';
    const to = specifier.startsWith('.') ? resolve(dirname(file), specifier) : specifier;
    return { from: file, to, typeOnly: match[1] === 'type ' };
  });
}

function roomOf(file: string): string {
  const path = relative(source, file).replace(/\.ts$/, '');
  if (path.startsWith('sip/engine/')) return 'sip/engine';
  return path.split('/')[0] ?? path;
}

const files = sourceFiles(source);
const imports = files.flatMap(importsOf);
const inner = imports.filter(({ to }) => to.startsWith(source));

test('every source file lies in a room of the picture', () => {
  expect(files.length).toBeGreaterThan(20);
  expect([...new Set(files.map(roomOf))].filter((room) => !(room in arrows))).toEqual([]);
});

test('arrows between rooms point one way', () => {
  const wrong = inner.filter(({ from, to }) => {
    const allowed = arrows[roomOf(from)] ?? [];
    return roomOf(from) !== roomOf(to) && !allowed.includes('*') && !allowed.includes(roomOf(to));
  });
  expect(wrong.map(({ from, to }) => `${relative(source, from)} -> ${relative(source, to)}`)).toEqual([]);
});

test('rooms see the schema of the configuration and how to read YAML with lines, nothing else of config', () => {
  const loaders = ['config', 'gateway', 'main', 'manage'];
  const shared = ['schema', 'file-problem', 'schema-problems', 'yaml-source'].map((name) => `config/${name}.ts`);
  const wrong = inner.filter(
    ({ from, to }) =>
      roomOf(to) === 'config' && !loaders.includes(roomOf(from)) && !shared.includes(relative(source, to)),
  );
  expect(wrong.map(({ from, to }) => `${relative(source, from)} -> ${relative(source, to)}`)).toEqual([]);
});

describe('each of these libraries has one keeper', () => {
  test.each(Object.entries(keepers))('%s is touched by %s alone', (library, keeper) => {
    const users = imports.filter(({ to }) => to === library || to.startsWith(`${library}/`));
    expect([...new Set(users.map(({ from }) => roomOf(from)))].filter((room) => room !== keeper)).toEqual([]);
  });
});

test('modules form no circle', () => {
  const next = new Map<string, string[]>();
  for (const { from, to, typeOnly } of inner) {
    if (!typeOnly) next.set(from, [...(next.get(from) ?? []), to]);
  }
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) {
      circles.push([...path.slice(path.indexOf(file)), file].map((step) => relative(source, step)).join(' -> '));
      return;
    }
    if (done.has(file)) return;
    for (const to of next.get(file) ?? []) visit(to, [...path, file]);
    done.add(file);
  };
  for (const file of files) visit(file, []);
  expect(circles).toEqual([]);
});
