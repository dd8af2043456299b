// Certificates for TLS tests: a CA of its own for each authority, and leaves it vouches for.
import { generate } from 'selfsigned';

export interface TestCertificate {
  readonly cert: string;
  readonly key: string;
}

export interface TestNames {
  readonly dns?: readonly string[];
  readonly uris?: readonly string[];
  readonly addresses?: readonly string[];
}

const common = { keyType: 'ec', algorithm: 'sha256' } as const;

/** A self-signed CA. `name` becomes its common name. */
export async function testAuthority(name: string): Promise<TestCertificate> {
  const made = await generate([{ name: 'commonName', value: name }], {
    ...common,
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    ],
  });
  return { cert: made.cert, key: made.private };
}

/** A certificate for TLS client and server use, signed by `authority`; expired when `notAfter` says so. */
export async function testCertificate(
  authority: TestCertificate,
  names: TestNames,
  notAfter?: Date,
): Promise<TestCertificate> {
  const made = await generate([{ name: 'commonName', value: 'test' }], {
    ...common,
    ca: authority,
    ...(notAfter === undefined
      ? {}
      : { notAfterDate: notAfter, notBeforeDate: new Date(notAfter.getTime() - 86_400_000) }),
    extensions: [
      { name: 'basicConstraints', cA: false },
      { name: 'keyUsage', digitalSignature: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true, clientAuth: true },
      {
        name: 'subjectAltName',
        altNames: [
          ...(names.dns ?? []).map((value) => ({ type: 2 as const, value })),
          ...(names.uris ?? []).map((value) => ({ type: 6 as const, value })),
          ...(names.addresses ?? []).map((ip) => ({ type: 7 as const, ip })),
        ],
      },
    ],
  });
  return { cert: made.cert, key: made.private };
}
