// Ours: one `mcgw serve` with its SQLite store, all faces up, as an operator would run it.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import type { Running } from '../support/running.ts';
import type { Site } from '../support/site.ts';
import type { Candidate, LoopWatch } from './candidate.ts';
import { domain } from './group-documents.ts';
import { putDocument } from './put-document.ts';

const program = fileURLToPath(new URL('../../bin/mcgw.js', import.meta.url));
const loopProbe = new URL('./loop-probe.ts', import.meta.url).href;

const creationXui = `sip:groups@${domain}`;
const administrator = `sip:admin@${domain}`;

export async function startGateway(site: Site): Promise<Candidate> {
  const home = join(site.folder, 'gateway');
  await mkdir(home);
  const file = join(home, 'gateway.yaml');
  await writeFile(file, stringify(configuration()));
  const running = site.start({
    program: process.execPath,
    args: ['--import', loopProbe, program, 'serve', '--config', file],
    messages: true,
  });
  const [, port] = await running.line(/^ready .*\bxcap=http:\/\/127\.0\.0\.1:(\d+)\//);
  const candidate: Candidate = {
    name: 'mcgw',
    port: Number(port),
    processes: [running.pid],
    // TS 24.482 clause A.2.3: asserted by the HTTP proxy, which the load generator stands for
    headers: { 'X-3GPP-Asserted-Identity': `"${administrator}"` },
    types: { document: 'application/vnd.oma.poc.groups+xml', element: 'application/xcap-el+xml' },
    documentPath: (name) => `/xcap-root/org.openmobilealliance.groups/users/${creationXui}/${name}.xml`,
    store: (name, document) => putDocument(candidate, name, document),
    loop: loopWatch(running),
  };
  return candidate;
}

function configuration(): object {
  return {
    system: {
      name: 'red',
      domains: [domain],
      gms: `sip:gms@${domain}`,
      groupCreationXui: creationXui,
      servers: [`sip:mcptt@${domain}`],
      administrators: [administrator],
    },
    xcap: { listen: { port: 0 }, root: 'http://127.0.0.1:0/xcap-root' },
    sip: { listen: ['udp:127.0.0.1:0'] },
    identity: { trustedProxies: ['127.0.0.1/32'] },
    storage: { sqlite: 'groups.db' },
    manage: { listen: { port: 0 }, token: 'bench-operator-token' },
  };
}

function loopWatch(running: Running): LoopWatch {
  return {
    start: () => void running.child.send('start'),
    stop() {
      const told = new Promise<number>((resolve) => {
        running.child.once('message', (message) => resolve(Number(message)));
      });
      running.child.send('stop');
      return running.unlessEnded(told);
    },
  };
}
