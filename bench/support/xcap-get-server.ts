// One of the servers that bench/xcap-get.ts compares, in a process of its own: the whole gateway, called with an asserted identity or with
// an access token, or bare node:http.
// Says on the IPC channel where the document is, and on request how much CPU time it has used.
import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SignJWT } from 'jose';
import { pino } from 'pino';
import { stringify } from 'yaml';
import { startGateway } from '../../src/gateway.ts';
import { prepare } from '../../src/manage/prepare.ts';

const owner = 'sip:ines@red.example';
const mediaType = 'application/resource-lists+xml';

/** A contact list of about 5 KB. */
function document(): string {
  const entries: string[] = [];
  for (let number = 0; number < 48; number++) {
    entries.push(
      `    <entry uri="sip:member-${1000 + number}@red.example"><display-name>Member ${1000 + number}</display-name></entry>`,
    );
  }
  const lists = `  <list name="crew">\n${entries.join('\n')}\n  </list>`;
  return `<?xml version="1.0" encoding="UTF-8"?>\n<resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists">\n${lists}\n</resource-lists>\n`;
}

interface Served {
  readonly url: string;
  /** Header field that requests must carry, `Name: value`. */
  readonly header: string;
  close(): Promise<void>;
}

const asserted = `X-3GPP-Asserted-Identity: "${owner}"`;

async function gateway(credentials: 'asserted' | 'token'): Promise<Served> {
  const folder = await mkdtemp(join(tmpdir(), 'xcap-get-'));
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const keys = [{ ...publicKey.export({ format: 'jwk' }), kid: 'k1' }];
  await writeFile(join(folder, 'jwks.json'), JSON.stringify({ keys }));
  const file = join(folder, 'red.yaml');
  await writeFile(
    file,
    stringify({
      system: { name: 'red', domains: ['red.example'], gms: 'sip:gms@red.example' },
      xcap: { listen: { host: '127.0.0.1', port: 0 }, root: 'http://127.0.0.1/xcap-root' },
      identity: { trustedProxies: ['127.0.0.1'], tokens: { audience: 'gms.red.example', jwks: 'jwks.json' } },
      storage: { sqlite: 'red.db' },
      logging: { level: 'silent' },
    }),
  );
  const { prepared, problems } = await prepare(file, Date.now());
  if (prepared === undefined) throw new Error(`the configuration is refused: ${JSON.stringify(problems)}`);
  const running = await startGateway(prepared, pino({ level: 'silent' }));
  const url = `${running.urls.xcap}/resource-lists/users/${owner}/index`;
  const headers = { 'Content-Type': mediaType, 'X-3GPP-Asserted-Identity': `"${owner}"` };
  const answer = await fetch(url, { method: 'PUT', headers, body: document() });
  if (answer.status !== 201) throw new Error(`the document is refused: ${answer.status} ${await answer.text()}`);
  const token = await new SignJWT({ mcptt_id: owner, scope: '3gpp:mc:ptt_group_management_service' })
    .setProtectedHeader({ alg: 'RS256', kid: 'k1' })
    .setAudience('gms.red.example')
    .setExpirationTime('1h')
    .sign(privateKey);
  return {
    url,
    header: credentials === 'token' ? `Authorization: Bearer ${token}` : asserted,
    async close() {
      await running.close();
      await rm(folder, { recursive: true });
    },
  };
}

async function bare(): Promise<Served> {
  const body = Buffer.from(document());
  const server = createServer((_request, response) => {
    response.writeHead(200, {
      'Content-Type': mediaType,
      'Content-Length': body.length,
      ETag: '"Mzc2NDkwNTM4MjQxOTI3MDk"',
    });
    response.end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    header: asserted,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/xcap-root/resource-lists/users/${owner}/index`,
    async close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

const served = await (process.argv[2] === 'bare'
  ? bare()
  : gateway(process.argv[2] === 'token' ? 'token' : 'asserted'));
process.on('message', () => process.send?.({ cpu: process.cpuUsage() }));
process.on('disconnect', () => void served.close());
process.send?.({ url: served.url, header: served.header });
