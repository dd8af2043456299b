// A gateway under measurement as it runs in earnest: `mcgw serve` in a process of its own, with a store on disk.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { request } from 'undici';
import { stringify } from 'yaml';

export interface ServedGateway {
  readonly pid: number;
  /** `host:port` of its SIP listener. */
  readonly sip: string;
  /** PSI of its GMS. */
  readonly psi: string;
  /** PSI of its MC service server, which may assert itself from this machine. */
  readonly server: string;
  /** Creates or replaces a group of `red.example`. */
  putGroup(groupId: string, document: Uint8Array): Promise<void>;
  stop(): Promise<void>;
}

const program = fileURLToPath(new URL('../../bin/mcgw.js', import.meta.url));
const token = 'bench-operator-token';

/** PSI of the gateway, and of the MC service server that it believes. */
export const [psi, server] = ['sip:gms@red.example', 'sip:mcptt@red.example'] as const;

/** A gateway without partners, all on free ports. */
export const gatewayConfiguration = {
  system: {
    name: 'red',
    domains: ['red.example'],
    gms: psi,
    groupCreationXui: 'sip:groups@red.example',
    servers: [server],
  },
  xcap: { listen: { port: 0 }, root: 'http://127.0.0.1:0/xcap-root' },
  sip: { listen: ['udp:127.0.0.1:0'] },
  identity: { trustedProxies: ['127.0.0.1'] },
  storage: { sqlite: 'red.db' },
  manage: { listen: { port: 0 }, token },
  logging: { level: 'warn' },
};

/** The address of a face in the line that `mcgw serve` prints when it is ready. */
export function faceIn(ready: string, name: string): string {
  return new RegExp(`\\b${name}=(\\S+)`).exec(ready)?.[1] ?? '';
}

/** Creates or replaces a group by the management API at `manage`; rejects unless it is stored. */
export async function putGroup(manage: string, groupId: string, document: Uint8Array | string): Promise<void> {
  const answer = await request(`${manage}/api/v1/groups/${encodeURIComponent(groupId)}`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/vnd.oma.poc.groups+xml' },
    body: document,
  });
  const text = await answer.body.text();
  if (answer.statusCode >= 300) throw new Error(`PUT ${groupId}: ${answer.statusCode} ${text}`);
}

/** Starts a gateway without partners in `folder` and waits until it is ready. */
export async function serveGateway(folder: string): Promise<ServedGateway> {
  const file = join(folder, 'gateway.yaml');
  await writeFile(file, stringify(gatewayConfiguration));
  const child = spawn(process.execPath, [program, 'serve', '--config', file], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  const line = await Promise.race([
    once(createInterface({ input: child.stdout }), 'line').then(([text]) => text as string),
    ended.then(([code]) => {
      throw new Error(`mcgw serve ended with ${code} before it was ready`);
    }),
  ]);
  const face = (name: string): string => faceIn(line, name);
  return {
    pid: child.pid ?? 0,
    sip: face('sip').replace(/^sip:/, ''),
    psi,
    server,
    putGroup: (groupId, document) => putGroup(face('manage'), groupId, document),
    async stop() {
      child.kill('SIGTERM');
      await ended;
    },
  };
}
