// A SIP core for tests: Kamailio with a configuration of its own, record-routing itself once for each leg, with listeners for UDP,
// TCP, TLS, WebSocket and secure WebSocket on ports of loopback.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { portChooser } from '../../src/demo/free-ports.ts';

/** Files with a certificate chain, its key and the authority that peers' certificates must chain to. */
export interface CoreTls {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

export interface CoreOptions {
  readonly kamailio: string;
  /** Where it writes; made when absent. */
  readonly folder: string;
  /** Where requests outside dialogs go. */
  readonly nextHop: string;
  /** Given, it listens for TLS and presents and demands certificates. */
  readonly tls?: CoreTls;
  /** It takes WebSocket connections at its TCP port, and secure ones at its TLS port. */
  readonly webSocket?: boolean;
  /** Those of one that was stopped; free ones unless given. */
  readonly ports?: Pick<Core, 'port' | 'tlsPort'>;
}

export interface Core {
  /** UDP and TCP, and WebSocket where asked for. */
  readonly port: number;
  /** TLS and secure WebSocket; 0 without `tls`. */
  readonly tlsPort: number;
  stop(): Promise<void>;
}

/** Starts Kamailio and resolves once it accepts; rejects with what it said when it does not start. */
export async function startCore(options: CoreOptions): Promise<Core> {
  const { kamailio, folder, tls, ports } = options;
  const choose = portChooser();
  const port = ports?.port ?? (await choose());
  const tlsPort = ports?.tlsPort ?? (tls === undefined ? 0 : await choose());
  await mkdir(folder, { recursive: true });
  const file = join(folder, 'kamailio.cfg');
  await writeFile(file, configuration(options, port, tlsPort));
  if (tls !== undefined) await writeFile(join(folder, 'tls.cfg'), tlsConfiguration(tls));
  // -E: everything on standard error, -DD: stay
  const args = ['-f', file, '-DD', '-E', '-m', '32', '-M', '8', '-Y', folder, '-w', folder, '-P', join(folder, 'pid')];
  const child = spawn(kamailio, args, { stdio: ['ignore', 'ignore', 'pipe'], detached: true });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = `${said}${text}`.slice(-4000);
  });
  const exited = once(child, 'exit').then(([code]) => {
    throw new Error(`kamailio ended with ${code}: ${said}`);
  });
  exited.catch(() => undefined);
  try {
    for (const one of tls === undefined ? [port] : [port, tlsPort]) await Promise.race([accepts(one), exited]);
  } catch (error) {
    await end(child);
    throw error;
  }
  return { port, tlsPort, stop: () => end(child) };
}

function configuration({ folder, nextHop, tls, webSocket }: CoreOptions, port: number, tlsPort: number): string {
  const modules = ['tm', 'sl', 'rr', 'pv', 'maxfwd', 'textops', 'siputils', 'nathelper'];
  if (tls !== undefined) modules.push('tls');
  if (webSocket === true) modules.push('xhttp', 'websocket');
  return `#!KAMAILIO
debug=0
log_stderror=yes
fork=yes
children=1
tcp_children=1
auto_aliases=no
dns=no
rev_dns=no
tcp_accept_no_cl=yes
${tls === undefined ? '' : 'enable_tls=yes'}
listen=udp:127.0.0.1:${port}
listen=tcp:127.0.0.1:${port}
${tls === undefined ? '' : `listen=tls:127.0.0.1:${tlsPort}`}
${modules.map((name) => `loadmodule "${name}.so"`).join('\n')}
modparam("rr", "enable_double_rr", 1)
${tls === undefined ? '' : `modparam("tls", "config", "${join(folder, 'tls.cfg')}")`}
request_route {
  if (!mf_process_maxfwd_header("10")) { sl_send_reply("483", "Too Many Hops"); exit; }
  if (has_totag()) {
    if (!loose_route()) { sl_send_reply("404", "Not Here"); exit; }
    # RFC 6665 4.3, 4.4.1: a subscriber's route set is that of the NOTIFY
    if (is_method("SUBSCRIBE|NOTIFY")) record_route();
    handle_ruri_alias();
    t_relay();
    exit;
  }
  # A browser's Contact cannot be reached, and a sip: Contact does not say TLS: the alias is the connection
  if (proto != UDP && proto != TCP) { force_rport(); add_contact_alias(); }
  record_route();
  $du = "${nextHop}";
  t_relay();
}
${
  webSocket === true
    ? `event_route[xhttp:request] {
  set_reply_close();
  set_reply_no_connect();
  if ($hdr(Upgrade) =~ "websocket") { ws_handle_handshake(); exit; }
  xhttp_reply("404", "Not Found", "", "");
}
`
    : ''
}`;
}

/** Both directions prove who they are. */
function tlsConfiguration({ cert, key, ca }: CoreTls): string {
  return ['server', 'client']
    .map(
      (role) => `[${role}:default]
method = TLSv1.2+
verify_certificate = yes
require_certificate = ${role === 'server' ? 'no' : 'yes'}
private_key = ${key}
certificate = ${cert}
ca_list = ${ca}
`,
    )
    .join('\n');
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
  const exit = once(child, 'exit');
  // It has children of its own in its process group.
  process.kill(-child.pid, 'SIGTERM');
  await exit;
}

async function accepts(port: number): Promise<void> {
  const limit = performance.now() + 20_000;
  while (performance.now() < limit) {
    const socket = connect(port, '127.0.0.1');
    const open = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    socket.destroy();
    if (open) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('kamailio does not accept');
}
