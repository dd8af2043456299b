// Ports for the faces of a system: well-known ones where they are free, otherwise any free one below the range from which
// the operating system takes ports for outgoing connections.
import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';

const lowest = 10_000;
const beyond = 32_000;

/**
 * Gives ports, never the same twice: the preferred one when nothing holds it on loopback, over TCP and UDP; any free one otherwise or
 * without preference.
 */
export function portChooser(): (preferred?: number) => Promise<number> {
  const given = new Set<number>();
  return async (preferred) => {
    const candidates = Array.from({ length: 100 }, () => randomInt(lowest, beyond));
    for (const port of preferred === undefined ? candidates : [preferred, ...candidates]) {
      if (given.has(port) || !(await isFree(port))) continue;
      given.add(port);
      return port;
    }
    throw new Error(`no free port between ${lowest} and ${beyond}`);
  };
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  const socket = createSocket('udp4');
  try {
    const listening = [once(server, 'listening'), once(socket, 'listening')];
    server.listen(port, '127.0.0.1');
    socket.bind(port, '127.0.0.1');
    const outcomes = await Promise.allSettled(listening);
    return outcomes.every(({ status }) => status === 'fulfilled');
  } finally {
    server.close();
    socket.close();
  }
}
