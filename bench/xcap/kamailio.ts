// Reference: Kamailio's XCAP server over MariaDB, both of Debian, with as many TCP workers as suit it best.
// It looks at documents for well-formedness only and asks for no credentials; its transports know plain keep-alive HTTP.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  clientSettings,
  createTables,
  databaseUrl,
  type KamailioPrograms,
  kamailioModule,
  kamailioNeeds,
} from '../support/kamailio.ts';
import { freePort, type Site } from '../support/site.ts';
import type { Candidate } from './candidate.ts';
import { domain } from './group-documents.ts';
import { largestStatement, type Mariadb } from './mariadb.ts';
import { putDocument } from './put-document.ts';

export const kamailioXcapNeeds = [
  ...kamailioNeeds,
  kamailioModule('xhttp.so', 'kamailio'),
  kamailioModule('xcap_server.so', 'kamailio-presence-modules'),
  kamailioModule('db_mysql.so', 'kamailio-mysql-modules'),
] as const;

/** The same server with another number of workers, all on one database. */
export interface KamailioVariant {
  readonly workers: number;
  readonly candidate: Candidate;
}

const userUri = `sip:bench@${domain}`;
const bufferBytes = 4 * 1024 * 1024;
/** Largest document that fits one read of its HTTP server. */
const largestPut = 48 * 1024;

/** Starts one Kamailio for each number of TCP workers. */
export async function startKamailio(
  site: Site,
  programs: KamailioPrograms,
  database: Mariadb,
  workerCounts: readonly number[],
): Promise<readonly KamailioVariant[]> {
  await createTables(programs, database);
  const home = join(site.folder, 'kamailio');
  await mkdir(home);
  const env = await clientSettings(home, database);
  const variants: KamailioVariant[] = [];
  for (const workers of workerCounts) {
    variants.push({ workers, candidate: await startVariant(site, programs, database, env, workers) });
  }
  return variants;
}

async function startVariant(
  site: Site,
  programs: KamailioPrograms,
  database: Mariadb,
  env: { readonly MYSQL_HOME: string },
  workers: number,
): Promise<Candidate> {
  const folder = join(env.MYSQL_HOME, String(workers));
  await mkdir(folder);
  const port = await freePort();
  const file = join(folder, 'kamailio.cfg');
  await writeFile(file, configuration(port, workers));
  const running = site.start({
    program: programs.kamailio,
    args: ['-f', file, '-DD', '-E', '-m', '256', '-M', '64', '-Y', folder, '-w', folder, '-P', join(folder, 'pid')],
    env,
  });
  await running.accepts(port);
  const candidate: Candidate = {
    name: 'kamailio',
    port,
    processes: [running.pid, database.pid],
    headers: {},
    types: { document: 'application/resource-lists+xml', element: 'application/xcap-el+xml' },
    // it has a fixed list of usages, none for groups; it looks at none of their contents
    documentPath: (name) => `/xcap-root/resource-lists/users/${userUri}/${name}`,
    async store(name, document) {
      if (document.length <= largestPut) return putDocument(candidate, name, document);
      await putDocument(candidate, name, '<group/>');
      const hex = Buffer.from(document, 'utf8').toString('hex');
      const path = candidate.documentPath(name);
      await database.execute(`UPDATE xcap SET doc = x'${hex}' WHERE doc_uri = '${path}';`, 'kamailio');
    },
  };
  return candidate;
}

function configuration(port: number, workers: number): string {
  return `#!KAMAILIO
debug=-1
log_stderror=yes
fork=yes
children=1
tcp_children=${workers}
listen=tcp:127.0.0.1:${port}
auto_aliases=no
dns=no
rev_dns=no
tcp_accept_no_cl=yes
http_reply_parse=yes
tcp_rd_buf_size=65536
tcp_connection_lifetime=3600
sql_buffer_size=${largestStatement}
server_header=""
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "db_mysql.so"
loadmodule "xhttp.so"
loadmodule "xcap_server.so"
modparam("xcap_server", "db_url", "${databaseUrl}")
modparam("xcap_server", "buf_size", ${bufferBytes})
request_route { drop; }
event_route[xhttp:request] {
  switch ($rm) {
    case "GET": xcaps_get("${userUri}", "$hu"); break;
    case "PUT": xcaps_put("${userUri}", "$hu", "$rb"); break;
    default: xhttp_reply("405", "Method Not Allowed", "", "");
  }
  exit;
}
`;
}
