// A bare node:http server that holds documents in memory: what the transport alone costs. Prints its port and serves until it is ended.
import { createServer } from 'node:http';

interface Held {
  readonly bytes: Buffer;
  readonly etag: string;
}

const documents = new Map<string, Held>();
let stored = 0;

const server = createServer((request, response) => {
  const path = request.url ?? '';
  if (request.method === 'PUT') {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      stored += 1;
      const etag = `"${stored}"`;
      documents.set(path, { bytes: Buffer.concat(chunks), etag });
      response.writeHead(200, { etag, 'content-length': 0 }).end();
    });
    return;
  }
  const held = documents.get(path);
  if (held === undefined) response.writeHead(404, { 'content-length': 0 }).end();
  else if (request.headers['if-none-match'] === held.etag) response.writeHead(304, { etag: held.etag }).end();
  else {
    const type = 'application/vnd.oma.poc.groups+xml';
    response.writeHead(200, { etag: held.etag, 'content-type': type, 'content-length': held.bytes.length });
    response.end(held.bytes);
  }
});

server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  if (address !== null && typeof address !== 'string') process.stdout.write(`port ${address.port}\n`);
});
