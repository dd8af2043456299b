// The SIP engine that tests of the SIP face run on: the embedded one, a fresh one for each test, or one that runs already and that
// the environment names, such as `mcgw engine` in a process of its own or a real drachtio-server.

/** An engine that runs elsewhere. */
export interface NamedEngine {
  readonly control: { readonly host: string; readonly port: number; readonly secret: string };
  /** Its listeners, `udp:127.0.0.1:5060` and the like; the first is UDP. */
  readonly listening: readonly string[];
}

/**
 * The engine that `MCGW_TEST_ENGINE` (HOST:PORT of its control port), `MCGW_TEST_ENGINE_SECRET` and `MCGW_TEST_ENGINE_SIP` (its
 * listeners, separated by commas, UDP first) name; undefined without the first. Throws when they cannot be read.
 */
export function engineUnderTest(environment: NodeJS.ProcessEnv = process.env): NamedEngine | undefined {
  const address = environment.MCGW_TEST_ENGINE;
  if (address === undefined || address === '') return undefined;
  const [, host, port] = /^(.+):(\d+)$/.exec(address) ?? [];
  const listening = (environment.MCGW_TEST_ENGINE_SIP ?? '').split(',').filter((one) => one !== '');
  if (host === undefined || port === undefined) throw new Error(`MCGW_TEST_ENGINE=${address}: must be HOST:PORT`);
  if (listening[0]?.startsWith('udp:') !== true) {
    throw new Error(
      'MCGW_TEST_ENGINE_SIP must list where it listens, UDP first: udp:127.0.0.1:5060,tcp:127.0.0.1:5060',
    );
  }
  const secret = environment.MCGW_TEST_ENGINE_SECRET ?? 'cymru';
  return { control: { host: host.replace(/^\[|\]$/g, ''), port: Number(port), secret }, listening };
}

/**
 * The `sip` section of a configuration on the engine that the environment names: its listeners in place of those of the same
 * transports. The section as it is when there is no such engine, or when it lacks a transport.
 */
export function onEngineUnderTest<T extends { readonly listen: readonly string[] }>(
  sip: T,
  engine: NamedEngine | undefined = engineUnderTest(),
): T | (T & { readonly engine: { readonly drachtio: NamedEngine['control'] } }) {
  if (engine === undefined) return sip;
  const transportOf = (listener: string): string => listener.slice(0, listener.indexOf(':'));
  const listen = sip.listen.flatMap((wanted) =>
    engine.listening.filter((listener) => transportOf(listener) === transportOf(wanted)).slice(0, 1),
  );
  return listen.length < sip.listen.length ? sip : { ...sip, listen, engine: { drachtio: engine.control } };
}
