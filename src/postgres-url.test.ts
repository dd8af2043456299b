import { userInfo } from 'node:os';
import { describe, expect, test } from '@jest/globals';
import { parsePostgresUrl, shownPostgresAddress, withAbsolutePostgresFiles } from './postgres-url.ts';

const address = (url: string): unknown => {
  const parsed = parsePostgresUrl(url);
  return 'address' in parsed ? parsed.address : parsed;
};

describe('the URL of a database as libpq reads it', () => {
  const plain = { host: 'db.example', port: 5432, database: 'groups', user: 'gateway', password: 'pw' };
  test.each<[rule: string, url: string, expected: object]>([
    ['everything given', 'postgres://gateway:pw@db.example:5433/groups', { ...plain, port: 5433 }],
    ['the other scheme, and the default port', 'postgresql://gateway:pw@db.example/groups', plain],
    [
      'percent-encoding in every part, colons in a password',
      'postgres://gate%40way:a:b%2Fc%3F@db.example/gr%20oups',
      { ...plain, user: 'gate@way', password: 'a:b/c?', database: 'gr oups' },
    ],
    [
      'no password',
      'postgres://gateway@db.example/groups',
      { host: 'db.example', port: 5432, database: 'groups', user: 'gateway' },
    ],
    [
      'no user: that of the process',
      'postgres://db.example/groups',
      { host: 'db.example', port: 5432, database: 'groups', user: userInfo().username },
    ],
    ['IPv6', 'postgres://gateway:pw@[2001:db8::1]:5432/groups', { ...plain, host: '2001:db8::1' }],
    [
      'the folder of a Unix socket as host',
      'postgres://gateway:pw@%2Frun%2Fpostgresql/groups',
      { ...plain, host: '/run/postgresql' },
    ],
    [
      'the folder of a Unix socket as parameter',
      'postgres://gateway:pw@/groups?host=/run/postgresql&port=5433',
      { ...plain, host: '/run/postgresql', port: 5433 },
    ],
    [
      'TLS without a look at the certificate',
      'postgres://gateway:pw@db.example/groups?sslmode=require',
      { ...plain, tls: { verify: 'nothing' } },
    ],
    [
      'TLS with an authority',
      'postgres://gateway:pw@db.example/groups?sslmode=require&sslrootcert=ca.crt',
      { ...plain, tls: { verify: 'issuer', ca: 'ca.crt' } },
    ],
    [
      'TLS with a name to be compared, and a certificate of our own',
      'postgres://gateway:pw@db.example/groups?sslmode=verify-full&sslrootcert=ca.crt&sslcert=me.crt&sslkey=me.key',
      { ...plain, tls: { verify: 'name', ca: 'ca.crt', cert: 'me.crt', key: 'me.key' } },
    ],
    [
      'options',
      'postgres://gateway:pw@db.example/groups?options=-c%20search_path%3Dg',
      { ...plain, options: '-c search_path=g' },
    ],
    [
      'a name for pg_stat_activity and a time limit',
      'postgres://gateway:pw@db.example/groups?application_name=mcgw-red&connect_timeout=3',
      { ...plain, application: 'mcgw-red', connectTimeout: 3 },
    ],
    [
      'no TLS on a Unix socket',
      'postgres://gateway:pw@%2Frun%2Fpostgresql/groups?sslmode=verify-full',
      { ...plain, host: '/run/postgresql' },
    ],
  ])('%s', (_, url, expected) => {
    expect(address(url)).toEqual(expected);
  });
});

describe('what is no such URL is told without repeating it', () => {
  test.each<[url: string, problem: RegExp]>([
    ['mysql://gateway:secret@db/groups', /^must be postgres:/],
    ['secret', /^must be postgres:/],
    ['postgres://gateway:sec@ret@db/groups', /^must be postgres:.* percent-encoded$/],
    ['postgres://gateway:sec%ret@db/groups', /^holds a % /],
    ['postgres://gateway:secret@db', /^names no database$/],
    ['postgres://gateway:secret@db/', /^names no database$/],
    ['postgres://gateway:secret@/groups', /^names no host/],
    ['postgres://gateway:secret@one,two/groups', /^names several hosts/],
    ['postgres://gateway:secret@db:0/groups', /^has a port that is none$/],
    ['postgres://gateway:secret@db:65536/groups', /^has a port that is none$/],
    ['postgres://gateway:secret@db:secret/groups', /^has no HOST:PORT$/],
    [
      'postgres://gateway:secret@db/groups?secret=1',
      /^has a parameter that is not understood \(understood are application_name, /,
    ],
    ['postgres://gateway:secret@db/groups?sslmode=prefer', /^has an sslmode that is not one of disable, /],
    ['postgres://gateway:secret@db/groups?connect_timeout=soon', /^has a connect_timeout /],
    ['postgres://gateway:secret@db/groups?sslmode=disable&sslmode=require', /^has sslmode twice$/],
    ['postgres://gateway:secret@db/groups?sslrootcert=ca.crt', /^names certificates but no sslmode$/],
    ['postgres://gateway:secret@db/groups?sslmode=require&sslcert=me.crt', /^needs sslcert and sslkey together$/],
  ])('%s', (url, problem) => {
    const parsed = parsePostgresUrl(url);
    expect(parsed).toEqual({ problem: expect.stringMatching(problem) });
    expect(JSON.stringify(parsed)).not.toContain('secret');
  });
});

test('an address is shown without its password', () => {
  const shown = (url: string): string => {
    const parsed = parsePostgresUrl(url);
    return 'address' in parsed ? shownPostgresAddress(parsed.address) : parsed.problem;
  };
  expect(shown('postgres://gateway:secret@db.example/groups')).toBe('postgres://gateway@db.example:5432/groups');
  expect(shown('postgres://gateway:secret@[::1]/groups?options=x')).toBe('postgres://gateway@[::1]:5432/groups');
});

test('files are named absolutely, everything else stays as it is', () => {
  const absolute = (file: string): string => `/etc/mc gw/${file}`;
  expect(withAbsolutePostgresFiles('postgres://g:p%40@db/x?sslmode=require&sslrootcert=ca.crt', absolute)).toBe(
    'postgres://g:p%40@db/x?sslmode=require&sslrootcert=%2Fetc%2Fmc%20gw%2Fca.crt',
  );
  expect(withAbsolutePostgresFiles('postgres://g:p%40@db/x', absolute)).toBe('postgres://g:p%40@db/x');
});
