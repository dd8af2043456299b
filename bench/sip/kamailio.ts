// Reference: Kamailio's presence server over MariaDB, both of Debian. It has no xcap-diff, so it is asked for event `presence`: each
// NOTIFY carries the PIDF that was published before; every subscription is written to the database before it is answered.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  clientSettings,
  databaseUrl,
  type KamailioPrograms,
  kamailioModule,
  kamailioNeeds,
} from '../support/kamailio.ts';
import { freePort, type Site } from '../support/site.ts';
import type { Mariadb } from '../xcap/mariadb.ts';
import type { SipServer } from './candidate.ts';

export const kamailioPresenceNeeds = [
  ...kamailioNeeds,
  kamailioModule('presence.so', 'kamailio-presence-modules'),
  kamailioModule('presence_xml.so', 'kamailio-presence-modules'),
  kamailioModule('db_mysql.so', 'kamailio-mysql-modules'),
] as const;

const presentity = 'sip:bench@red.example';
let starts = 0;

/** Starts it without subscriptions, with this many UDP workers and one published state. */
export async function startKamailio(
  site: Site,
  programs: KamailioPrograms,
  database: Mariadb,
  workers: number,
): Promise<SipServer> {
  await database.execute('TRUNCATE active_watchers; TRUNCATE watchers; TRUNCATE presentity;', 'kamailio');
  starts += 1;
  const folder = join(site.folder, `kamailio-${starts}`);
  await mkdir(folder);
  const port = await freePort();
  const file = join(folder, 'kamailio.cfg');
  await writeFile(file, configuration(port, workers));
  const running = site.start({
    program: programs.kamailio,
    args: ['-f', file, '-DD', '-E', '-m', '1024', '-M', '32', '-Y', folder, '-w', folder, '-P', join(folder, 'pid')],
    env: await clientSettings(folder, database),
  });
  await running.unlessEnded(publish(port));
  return {
    target: `127.0.0.1:${port}`,
    processes: [running.pid, database.pid],
    kind: { uri: '[presentity]', headers: ['Event: presence', 'Accept: application/pidf+xml'], body: '' },
    keys: { presentity, identity: 'sip:watcher@red.example', expires: '3600' },
    stop: () => running.stop(),
  };
}

function configuration(port: number, workers: number): string {
  return `#!KAMAILIO
debug=-1
log_stderror=yes
fork=yes
children=${workers}
disable_tcp=yes
auto_aliases=no
dns=no
rev_dns=no
maxbuffer=4194304
server_header=""
listen=udp:127.0.0.1:${port}
loadmodule "tm.so"
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "db_mysql.so"
loadmodule "presence.so"
loadmodule "presence_xml.so"
modparam("presence|presence_xml", "db_url", "${databaseUrl}")
modparam("presence", "server_address", "sip:127.0.0.1:${port}")
# written through to the database, NOTIFY at once
modparam("presence", "subs_db_mode", 1)
modparam("presence", "notifier_processes", 0)
modparam("presence", "max_expires", 86400)
# nobody is asked who may watch
modparam("presence_xml", "force_active", 1)
request_route {
  if ($rm == "SUBSCRIBE" || $rm == "PUBLISH") {
    if (!t_newtran()) { sl_reply_error(); exit; }
    if ($rm == "PUBLISH") handle_publish(); else handle_subscribe();
    t_release();
    exit;
  }
  sl_send_reply("405", "Method Not Allowed");
}
`;
}

/** About as long as the state of a group that our NOTIFY carries. */
const pidf = `<?xml version="1.0" encoding="UTF-8"?>
<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="${presentity}">
  <tuple id="harbour"><status><basic>open</basic></status><contact>${presentity}</contact></tuple>
</presence>
`;

/** Publishes the state that its NOTIFYs carry; asks again until it is up. */
async function publish(port: number): Promise<void> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const own = `127.0.0.1:${socket.address().port}`;
  const request = [
    `PUBLISH ${presentity} SIP/2.0`,
    `Via: SIP/2.0/UDP ${own};branch=z9hG4bKpublish`,
    'Max-Forwards: 70',
    `From: <${presentity}>;tag=publisher`,
    `To: <${presentity}>`,
    'Call-ID: publish',
    'CSeq: 1 PUBLISH',
    'Event: presence',
    'Expires: 86400',
    'Content-Type: application/pidf+xml',
    `Content-Length: ${Buffer.byteLength(pidf)}`,
    '',
    pidf,
  ].join('\r\n');
  const send = (): void => socket.send(request, port, '127.0.0.1');
  const again = setInterval(send, 200);
  send();
  try {
    const [answer] = (await once(socket, 'message')) as [Buffer];
    const [line = ''] = answer.toString().split('\r\n');
    if (!line.includes(' 200 ')) throw new Error(`PUBLISH: ${line}`);
  } finally {
    clearInterval(again);
    socket.close();
  }
}
