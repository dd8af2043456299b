// Reference: a bare node:http server on the Node.js that runs the measurement.
import { fileURLToPath } from 'node:url';
import type { Site } from '../support/site.ts';
import type { Candidate } from './candidate.ts';
import { putDocument } from './put-document.ts';

const program = fileURLToPath(new URL('./bare-server.ts', import.meta.url));

export async function startBare(site: Site): Promise<Candidate> {
  const running = site.start({ program: process.execPath, args: [program] });
  const [, port] = await running.line(/^port (\d+)$/);
  const candidate: Candidate = {
    name: 'node:http',
    port: Number(port),
    processes: [running.pid],
    headers: {},
    types: { document: 'application/vnd.oma.poc.groups+xml', element: 'application/xcap-el+xml' },
    documentPath: (name) => `/${name}.xml`,
    store: (name, document) => putDocument(candidate, name, document),
  };
  return candidate;
}
