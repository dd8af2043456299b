// Ours: one `mcgw serve` with its SQLite store, all faces up; SIPp is its MC service server and asserts one identity for all.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import { faceIn, gatewayConfiguration, psi, putGroup, server } from '../support/served-gateway.ts';
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
let starts = 0;

/** Starts a gateway without subscriptions and stores the group. */
export async function startGateway(site: Site): Promise<SipGateway> {
  starts += 1;
  const folder = join(site.folder, `gateway-${starts}`);
  await mkdir(folder);
  const file = join(folder, 'gateway.yaml');
  await writeFile(file, stringify(gatewayConfiguration));
  const running = site.start({ program: process.execPath, args: [program, 'serve', '--config', file] });
  const [line] = await running.line(/^ready .*/);
  const face = (name: string): string => faceIn(line, name);
  const group = await readFile(document, 'utf8');
  const put = (text: string): Promise<void> => putGroup(face('manage'), groupId, text);
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
      identity: server,
      expires: '3600',
      entry: `org.openmobilealliance.groups/global/byGroupID/${groupId}`,
    },
    change: (counter) => put(group.replace('Harbour patrol', `Harbour patrol ${counter}`)),
    stop: () => running.stop(),
  };
}
