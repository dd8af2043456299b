// Ours: one `mcgw serve` with its SQLite store, all faces up; SIPp is its MC service server and asserts one identity for all.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { request } from 'undici';
import { stringify } from 'yaml';
import type { Site } from '../support/site.ts';
import type { SipServer } from './candidate.ts';

/** Our server, with the one group that everybody subscribes to. */
export interface SipGateway extends SipServer {
  /** Replaces the group by one that differs in its display name; resolves when that is stored. */
  change(counter: number): Promise<void>;
}

const program = fileURLToPath(new URL('../../bin/mcgw.js', import.meta.url));
const document = new URL('../../config/groups/harbour-tg1.xml', import.meta.url);
const groupId = 'sip:harbour-tg1@red.example';
const [psi, identity, token] = ['sip:gms@red.example', 'sip:mcptt@red.example', 'bench-operator-token'];
let starts = 0;

/** Starts a gateway without subscriptions and stores the group. */
export async function startGateway(site: Site): Promise<SipGateway> {
  starts += 1;
  const folder = join(site.folder, `gateway-${starts}`);
  await mkdir(folder);
  const file = join(folder, 'gateway.yaml');
  await writeFile(file, stringify(configuration));
  const running = site.start({ program: process.execPath, args: [program, 'serve', '--config', file] });
  const [line] = await running.line(/^ready .*/);
  const face = (name: string): string => new RegExp(`\\b${name}=(\\S+)`).exec(line)?.[1] ?? '';
  const group = await readFile(document, 'utf8');
  const put = async (text: string): Promise<void> => {
    const answer = await request(`${face('manage')}/api/v1/groups/${encodeURIComponent(groupId)}`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/vnd.oma.poc.groups+xml' },
      body: text,
    });
    const problem = await answer.body.text();
    if (answer.statusCode >= 300) throw new Error(`PUT ${groupId}: ${answer.statusCode} ${problem}`);
  };
  await put(group);
  return {
    target: face('sip').replace(/^sip:/, ''),
    processes: [running.pid],
    kind: {
      uri: '[psi]',
      headers: ['P-Asserted-Identity: <[identity]>', 'Event: xcap-diff', 'Accept: application/xcap-diff+xml'],
      body: `<?xml version="1.0" encoding="UTF-8"?>
<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists"><list><entry uri="[entry]"/></list></resource-lists>
`,
    },
    keys: {
      psi,
      identity,
      expires: '3600',
      entry: `org.openmobilealliance.groups/global/byGroupID/${groupId}`,
    },
    change: (counter) => put(group.replace('Harbour patrol', `Harbour patrol ${counter}`)),
    stop: () => running.stop(),
  };
}

const configuration = {
  system: {
    name: 'red',
    domains: ['red.example'],
    gms: psi,
    groupCreationXui: 'sip:groups@red.example',
    servers: [identity],
  },
  xcap: { listen: { port: 0 }, root: 'http://127.0.0.1:0/xcap-root' },
  sip: { listen: ['udp:127.0.0.1:0'] },
  identity: { trustedProxies: ['127.0.0.1'] },
  storage: { sqlite: 'red.db' },
  manage: { listen: { port: 0 }, token },
  logging: { level: 'warn' },
};
