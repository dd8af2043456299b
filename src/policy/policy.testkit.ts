// Small group documents and a policy runner for the tests of this room.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { parseYaml } from '../config/yaml-source.ts';
import { servedUsers } from '../identity/served.ts';
import { fitsSchema } from './json-schema.testkit.ts';
import type { LoadedPolicy } from './loaded-policy.ts';
import type { Derivation, DocumentCheck, PolicyContext } from './policy.ts';
import { loadPolicy, PolicyFileError, parsePolicy } from './policy-file.ts';
import { policyJsonSchema } from './policy-json-schema.ts';
import type { PolicyWorkers } from './policy-workers.ts';

const prefixes = [
  'xmlns="urn:oma:xml:poc:list-service"',
  'xmlns:rl="urn:ietf:params:xml:ns:resource-lists"',
  'xmlns:cp="urn:ietf:params:xml:ns:common-policy"',
  'xmlns:ocp="urn:oma:xml:xdm:common-policy"',
  'xmlns:oxe="urn:oma:xml:xdm:extensions"',
  'xmlns:m="urn:3gpp:ns:mcpttGroupInfo:1.0"',
].join(' ');

const icsi = 'urn:urn-7:3gpp-service.ims.icsi';

/** A group document around the given children of its list-service; services are added behind them. */
export function groupDocument(children: string, services: readonly string[] = ['mcptt']): string {
  const supported = services.map((service) => `<oxe:service enabler="${icsi}.${service}"/>`).join('');
  return `<?xml version="1.0"?>
<group ${prefixes}>
  <list-service uri="sip:g@red.example">
${children}
    <oxe:supported-services>${supported}</oxe:supported-services>
  </list-service>
</group>
`;
}

/** The context of system blue, where sip:guest@red.example is served and sip:gone@blue.example is not. */
export const blue: PolicyContext = {
  isServed: servedUsers({
    domains: ['blue.example'],
    servedUsers: ['sip:guest@red.example'],
    awayUsers: ['sip:gone@blue.example'],
  }).isServed,
  partner: 'red',
  direction: 'inbound',
  groupId: 'sip:g@red.example',
};

/** The same context, told as plain data, too: large documents and stylesheets run in a worker thread. */
export const blueByThread: PolicyContext = {
  ...blue,
  users: {
    own: {
      domains: ['blue.example'],
      servedUsers: ['sip:guest@red.example'],
      awayUsers: ['sip:gone@blue.example'],
    },
    either: {
      domains: ['blue.example', 'red.example'],
      users: ['sip:guest@red.example', 'sip:gone@blue.example'],
    },
  },
};

/** Writes files into a fresh folder and loads `policy.yaml` among them; the folder goes when `use` is done. */
export async function withPolicyFolder<T>(
  files: Readonly<Record<string, string>>,
  use: (folder: string, load: () => Promise<LoadedPolicy>) => Promise<T>,
  workers?: () => PolicyWorkers,
): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'policy-'));
  try {
    for (const [name, text] of Object.entries(files)) {
      await mkdir(dirname(join(folder, name)), { recursive: true });
      await writeFile(join(folder, name), text);
    }
    return await use(folder, async () => fitting(await loadPolicy(join(folder, 'policy.yaml'), workers)));
  } finally {
    await rm(folder, { recursive: true });
  }
}

const jsonSchema = JSON.parse(policyJsonSchema()) as Readonly<Record<string, unknown>>;

/** True when the text of a policy file fits the JSON Schema of policy files. */
export function fitsJsonSchema(text: string): boolean {
  return fitsSchema(parseYaml('', text).value, jsonSchema);
}

// What loads must be no fault to an editor either: every policy of every test is held against the JSON Schema.
function fitting(policy: LoadedPolicy): LoadedPolicy {
  const { text, files } = policy.source;
  for (const one of [text, ...Object.entries(files).flatMap(([name, one]) => (name.endsWith('.yaml') ? [one] : []))]) {
    if (!fitsJsonSchema(one)) throw new Error(`loads, and does not fit the JSON Schema:\n${one}`);
  }
  return policy;
}

/** A policy file with these rules (YAML flow objects without braces, a name is added). */
export function policyText(rules: readonly string[]): string {
  const lines = rules.map((rule, position) => `  - { name: rule ${position + 1}, ${rule} }\n`);
  return `policy: test\nversion: 1\nrules:\n${lines.join('')}`;
}

/** Every problem of loading, as printed; none when it loads. */
export async function problemsOf(load: () => Promise<unknown>): Promise<readonly string[]> {
  try {
    await load();
    return [];
  } catch (error) {
    if (!(error instanceof PolicyFileError)) throw error;
    return error.problems.map(({ file, line, key, text }) => `${basename(file)}:${line}: ${key}: ${text}`);
  }
}

/** Applies rules (YAML flow objects, a name is added) to a document. */
export async function applyRules(
  rules: readonly string[],
  document: string,
  context: Partial<PolicyContext> = {},
  check?: DocumentCheck,
): Promise<{ readonly text: string; readonly derivation: Derivation }> {
  const lines = rules.map((rule, position) => `{ name: rule ${position + 1}, ${rule} }`);
  const policy = fitting(
    parsePolicy(`policy: test\nversion: 1\nrules:\n  [\n    ${lines.join(',\n    ')}\n  ]\n`, 'test.yaml'),
  );
  const derivation = await policy.apply(Buffer.from(document), { ...blue, ...context }, check);
  return { text: Buffer.from(derivation.bytes).toString(), derivation };
}
