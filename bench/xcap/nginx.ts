// Reference: nginx of Debian serving the same documents as static files.
import { mkdir, writeFile } from 'node:fs/promises';
import { availableParallelism, userInfo } from 'node:os';
import { join } from 'node:path';
import type { Need } from '../support/programs.ts';
import { freePort, type Site } from '../support/site.ts';
import type { Candidate } from './candidate.ts';

export const nginxNeeds = [{ name: 'nginx', debianPackage: 'nginx-light' }] as const satisfies readonly Need[];

export async function startNginx(site: Site, programs: { readonly nginx: string }): Promise<Candidate> {
  const home = join(site.folder, 'nginx');
  const documents = join(home, 'documents');
  await mkdir(documents, { recursive: true });
  const port = await freePort();
  const file = join(home, 'nginx.conf');
  await writeFile(file, configuration(home, documents, port));
  const running = site.start({ program: programs.nginx, args: ['-p', home, '-c', file, '-e', 'stderr'] });
  await running.accepts(port);
  return {
    name: 'nginx',
    port,
    processes: [running.pid],
    headers: {},
    types: { document: 'application/vnd.oma.poc.groups+xml', element: 'application/xcap-el+xml' },
    documentPath: (name) => `/${name}.xml`,
    store: (name, document) => writeFile(join(documents, `${name}.xml`), document),
  };
}

// Its usual settings for small static files; the access log, which would cost it time, is off.
function configuration(home: string, documents: string, port: number): string {
  // workers of a master that is root become `nobody` unless told, and cannot read a private folder
  const user = process.getuid?.() === 0 ? `user ${userInfo().username};` : '';
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (kind) => `  ${kind}_temp_path ${join(home, kind)};`,
  );
  return `${user}
daemon off;
worker_processes ${availableParallelism()};
pid ${join(home, 'nginx.pid')};
error_log stderr;
events { worker_connections 512; multi_accept on; }
http {
${temporary.join('\n')}
  access_log off;
  sendfile on;
  tcp_nopush on;
  tcp_nodelay on;
  keepalive_timeout 600s;
  keepalive_requests 100000000;
  open_file_cache max=1000 inactive=600s;
  open_file_cache_valid 600s;
  types { application/vnd.oma.poc.groups+xml xml; }
  server { listen 127.0.0.1:${port} backlog=511; root ${documents}; }
}
`;
}
