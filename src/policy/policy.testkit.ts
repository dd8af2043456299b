// Small group documents and a policy runner for the tests of this room.
import { servedUsers } from '../identity/served.ts';
import type { Derivation, DocumentCheck, PolicyContext } from './policy.ts';
import { parsePolicy } from './policy-file.ts';

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

/** Applies rules (YAML flow objects, a name is added) to a document. */
export async function applyRules(
  rules: readonly string[],
  document: string,
  context: Partial<PolicyContext> = {},
  check?: DocumentCheck,
): Promise<{ readonly text: string; readonly derivation: Derivation }> {
  const lines = rules.map((rule, position) => `{ name: rule ${position + 1}, ${rule} }`);
  const policy = parsePolicy(`policy: test\nversion: 1\nrules:\n  [\n    ${lines.join(',\n    ')}\n  ]\n`, 'test.yaml');
  const derivation = await policy.apply(Buffer.from(document), { ...blue, ...context }, check);
  return { text: Buffer.from(derivation.bytes).toString(), derivation };
}
