// A SIP proxy on the edge of a system: Kamailio between its gateway and the edge of the other system, record-routing itself and hiding
// the topology behind it (module topoh).
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Address } from './edge-proxies.ts';

export interface KamailioEdgeOptions {
  readonly program: string;
  /** For its files. */
  readonly folder: string;
  readonly listen: Address;
  /** SIP over UDP of the own gateway. */
  readonly gateway: Address;
  /** The edge of the other system. */
  readonly other: Address;
  /** Stands for everything hidden; an address nobody has. */
  readonly mask: string;
}

const modules = ['tm', 'sl', 'rr', 'pv', 'maxfwd', 'textops', 'siputils', 'topoh'];

function configuration({ listen, gateway, other, mask }: KamailioEdgeOptions): string {
  return `#!KAMAILIO
debug=0
log_stderror=yes
fork=yes
children=2
disable_tcp=yes
auto_aliases=no
dns=no
rev_dns=no
server_signature=no
listen=udp:${listen.host}:${listen.port}
${modules.map((name) => `loadmodule "${name}.so"`).join('\n')}
modparam("topoh", "mask_key", "${mask} of ${listen.host}")
modparam("topoh", "mask_ip", "${mask}")
modparam("topoh", "sanity_checks", 0)
request_route {
  if (!mf_process_maxfwd_header("10")) { sl_send_reply("483", "Too Many Hops"); exit; }
  if (has_totag()) {
    if (!loose_route()) { sl_send_reply("404", "Not Here"); exit; }
    t_relay();
    exit;
  }
  record_route();
  if ($si == "${gateway.host}") $du = "sip:${other.host}:${other.port}";
  else $du = "sip:${gateway.host}:${gateway.port}";
  t_relay();
}
event_route[core:worker-one-init] {
  xlog("L_ALERT", "ready\\n");
}
`.replace('loadmodule "tm.so"', 'loadmodule "xlog.so"\nloadmodule "tm.so"');
}

/** Starts it and resolves once it serves; to the function that ends it. */
export async function kamailioEdge(options: KamailioEdgeOptions): Promise<() => Promise<void>> {
  await mkdir(options.folder, { recursive: true });
  const file = join(options.folder, 'kamailio.cfg');
  await writeFile(file, configuration(options));
  const { folder, program } = options;
  const args = ['-f', file, '-DD', '-E', '-m', '32', '-M', '8', '-Y', folder, '-w', folder, '-P', join(folder, 'pid')];
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'], detached: true });
  const log: string[] = [];
  const lines = createInterface({ input: child.stderr });
  const ready = new Promise<void>((resolve, reject) => {
    lines.on('line', (line) => {
      log.push(line);
      if (line.includes('ready')) resolve();
    });
    child.once('exit', (code) => reject(new Error(`kamailio ended with ${code}:\n${log.slice(-20).join('\n')}`)));
  });
  await ready;
  return () => end(child);
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.pid === undefined) return;
  const exit = once(child, 'exit');
  // It has children of its own in its process group
  process.kill(-child.pid, 'SIGTERM');
  await exit;
}
