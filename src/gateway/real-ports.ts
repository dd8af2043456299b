// Port 0 in an XCAP root: the port must be known before the face listens, since roots are told to subscribers and partners.
// Meant for tests and trials; between choosing and listening another process could take the port.
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { Configuration, ListenerConfiguration } from '../config/schema.ts';

/** The configuration with a free port in each listener whose root names port 0, and in that root. */
export async function withRealPorts(configuration: Configuration): Promise<Configuration> {
  const { xcap, interconnect } = configuration;
  return {
    ...configuration,
    xcap: { ...xcap, ...(await realPort(xcap.listen, xcap.root)) },
    ...(interconnect === undefined
      ? {}
      : { interconnect: { ...interconnect, ...(await realPort(interconnect.listen, interconnect.root)) } }),
  };
}

async function realPort(
  listen: ListenerConfiguration,
  root: string,
): Promise<{ readonly listen: ListenerConfiguration; readonly root: string }> {
  const match = /^(https?:\/\/[^/]*:)0((?:\/.*)?)$/i.exec(root);
  if (match === null) return { listen, root };
  const port = listen.port === 0 ? await freePort(listen.host) : listen.port;
  return { listen: { ...listen, port }, root: `${match[1]}${port}${match[2]}` };
}

async function freePort(host: string): Promise<number> {
  const server = createServer();
  server.listen(0, host);
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (typeof address !== 'object' || address === null) throw new Error(`no free port on ${host}`);
  return address.port;
}
