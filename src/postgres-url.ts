// The URL of a PostgreSQL database as libpq writes it: checked where a configuration is read, used where the store connects.
// A URL can hold a password: what is told about one never repeats it.
import { userInfo } from 'node:os';

/** How much of the server's certificate is looked at: nothing, who issued it, or also whom it names. */
export type PostgresVerification = 'nothing' | 'issuer' | 'name';

export interface PostgresTls {
  readonly verify: PostgresVerification;
  /** Files, PEM. */
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

/** Where a database is and who we are there. */
export interface PostgresAddress {
  /** Name or address, or the folder of a Unix socket when it begins with a slash. */
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password?: string | undefined;
  /** Absent = in the clear. */
  readonly tls?: PostgresTls | undefined;
  /** Command-line options for the server, such as `-c search_path=gateway`. */
  readonly options?: string | undefined;
  /** What the server shows for us in pg_stat_activity. */
  readonly application?: string | undefined;
  /** Seconds that connecting may take. */
  readonly connectTimeout?: number | undefined;
}

const form = /^postgres(?:ql)?:\/\/(?:([^@/?#]*)@)?([^@/?#]*)(?:\/([^/?#]*))?(?:\?([^#]*))?$/;
const parameters = [
  'application_name',
  'connect_timeout',
  'host',
  'options',
  'port',
  'sslcert',
  'sslkey',
  'sslmode',
  'sslrootcert',
];
const modes = ['disable', 'require', 'verify-ca', 'verify-full'];

/** The address behind a URL, or what is wrong with the URL in words that do not repeat it. */
export function parsePostgresUrl(url: string): { readonly address: PostgresAddress } | { readonly problem: string } {
  try {
    return { address: addressIn(url) };
  } catch (error) {
    return { problem: (error as Error).message };
  }
}

/** The URL of an address without the password and what else is not needed to recognise it. */
export function shownPostgresAddress({ user, host, port, database }: PostgresAddress): string {
  const shown = host.startsWith('/') ? `[${host}]` : host.includes(':') ? `[${host}]` : host;
  return `postgres://${user}@${shown}:${port}/${database}`;
}

/** The same URL with the files of its parameters named absolutely; one that is wrong stays as it is. */
export function withAbsolutePostgresFiles(url: string, absolute: (file: string) => string): string {
  const [place, query] = url.split('?', 2);
  if (query === undefined) return url;
  const pairs = query.split('&').map((pair) => {
    const [name = '', value = ''] = pair.split('=', 2);
    if (!/^ssl(?:cert|key|rootcert)$/.test(name) || value === '') return pair;
    try {
      return `${name}=${encodeURIComponent(absolute(decodeURIComponent(value)))}`;
    } catch {
      return pair;
    }
  });
  return `${place}?${pairs.join('&')}`;
}

function addressIn(url: string): PostgresAddress {
  const [, credentials = '', place = '', database = '', query = ''] =
    form.exec(url) ?? wrong('must be postgres://USER:PASSWORD@HOST:PORT/DATABASE with @ : / ? # percent-encoded');
  const given = queryIn(query);
  const [user = '', password] = parts(credentials).map(decoded);
  const { host, port } = placeIn(place, given);
  if (database === '') wrong('names no database');
  return {
    host,
    port,
    database: decoded(database),
    user: user === '' ? userInfo().username : user,
    ...(password === undefined ? {} : { password }),
    // As in libpq: whoever is behind a socket of this machine needs no certificate.
    ...(host.startsWith('/') ? {} : tlsIn(given)),
    ...timeoutIn(given),
    ...(given.application_name === undefined ? {} : { application: given.application_name }),
    ...(given.options === undefined ? {} : { options: given.options }),
  };
}

function wrong(problem: string): never {
  throw new Error(problem);
}

// A password may hold further colons.
function parts(credentials: string): readonly string[] {
  const colon = credentials.indexOf(':');
  return colon < 0 ? [credentials] : [credentials.slice(0, colon), credentials.slice(colon + 1)];
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return wrong('holds a % that begins no percent-encoding');
  }
}

function queryIn(query: string): Readonly<Record<string, string>> {
  const given: Record<string, string> = {};
  for (const pair of query.split('&').filter((one) => one !== '')) {
    const [name = '', ...value] = pair.split('=');
    if (!parameters.includes(name)) {
      wrong(`has a parameter that is not understood (understood are ${parameters.join(', ')})`);
    }
    if (given[name] !== undefined) wrong(`has ${name} twice`);
    given[name] = decoded(value.join('='));
  }
  return given;
}

function placeIn(
  place: string,
  given: Readonly<Record<string, string>>,
): { readonly host: string; readonly port: number } {
  if (place.includes(',')) wrong('names several hosts; one is possible');
  const [, bracketed, plain = '', written] =
    /^(?:\[([^\]]*)\]|([^:[\]]*))(?::(\d*))?$/.exec(place) ?? wrong('has no HOST:PORT');
  const host = given.host ?? decoded(bracketed ?? plain);
  if (host === '') wrong('names no host; ?host=/run/postgresql names the folder of a Unix socket');
  const text = given.port ?? (written === undefined || written === '' ? '5432' : written);
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port < 1 || port > 65535) wrong('has a port that is none');
  return { host, port };
}

function timeoutIn({ connect_timeout: text }: Readonly<Record<string, string>>): { readonly connectTimeout?: number } {
  if (text === undefined) return {};
  if (!/^[1-9]\d{0,3}$/.test(text)) wrong('has a connect_timeout that is no number of seconds');
  return { connectTimeout: Number(text) };
}

function tlsIn(given: Readonly<Record<string, string>>): { readonly tls?: PostgresTls } {
  const { sslmode = 'disable', sslrootcert: ca, sslcert: cert, sslkey: key } = given;
  if (!modes.includes(sslmode)) {
    // What may or may not be encrypted protects nobody.
    wrong(`has an sslmode that is not one of ${modes.join(', ')}`);
  }
  if ((cert === undefined) !== (key === undefined)) wrong('needs sslcert and sslkey together');
  if (sslmode === 'disable') {
    if (ca !== undefined || cert !== undefined) wrong('names certificates but no sslmode');
    return {};
  }
  // As libpq does: who names an authority wants it looked at.
  const issuer = sslmode === 'verify-ca' || ca !== undefined;
  const verify = sslmode === 'verify-full' ? 'name' : issuer ? 'issuer' : 'nothing';
  return {
    tls: {
      verify,
      ...(ca === undefined ? {} : { ca }),
      ...(cert === undefined || key === undefined ? {} : { cert, key }),
    },
  };
}
