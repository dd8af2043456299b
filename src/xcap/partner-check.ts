// Looks at one XCAP root of a partner as a request would: is there a connection, whose certificate, does the partner know us.
import { type PeerCertificate, TLSSocket } from 'node:tls';
import { buildConnector, type Dispatcher, Pool } from 'undici';
import type { CertificateFacts } from '../identity/certificates.ts';
import type { RootCheck } from '../interconnect/ports.ts';
import { refusalReason } from './refusal-reason.ts';

/** TLS towards a partner, with the check that its certificate is one of the partner's. */
export type PartnerTls = buildConnector.BuildOptions & {
  readonly checkServerIdentity: (host: string, certificate: PeerCertificate) => Error | undefined;
};

export interface RootToCheck {
  readonly root: string;
  /** Path of the root, without trailing slash. */
  readonly basePath: string;
  readonly tls: PartnerTls;
  /** Makes connections through the proxy when there is one; absent = directly. */
  readonly throughProxy?: ((tls: PartnerTls) => Dispatcher) | undefined;
  /** Facts of a certificate that the root has shown. */
  readonly facts: (certificate: PeerCertificate) => CertificateFacts | undefined;
  readonly headers: Readonly<Record<string, string>>;
  /** Milliseconds. */
  readonly timeout: number;
}

/** Asks the root for its capabilities over a connection of its own. Never rejects. */
export async function checkRoot(asked: RootToCheck): Promise<RootCheck> {
  const { root, basePath, timeout, headers } = asked;
  const shown: Shown = {};
  const dispatcher = connecting(asked, shown);
  try {
    const {
      statusCode,
      headers: fields,
      body,
    } = await dispatcher.request({
      origin: new URL(root).origin,
      method: 'GET',
      path: `${basePath}/xcap-caps/global/index`,
      headers: { ...headers, 'Accept-Encoding': 'identity' },
      signal: AbortSignal.timeout(timeout),
    });
    const content = new Uint8Array(await body.arrayBuffer());
    const type = fields['content-type'];
    const told = statusCode < 400 ? undefined : refusalReason(Array.isArray(type) ? type[0] : type, content);
    return { root, ...tlsOf(shown), answer: { status: statusCode, ...(told === undefined ? {} : { reason: told }) } };
  } catch (error) {
    return { root, ...tlsOf(shown), problem: problemOf(error) };
  } finally {
    await dispatcher.destroy();
  }
}

interface Shown {
  facts?: CertificateFacts | undefined;
  protocol?: string | undefined;
  cipher?: string | undefined;
  validUntil?: string | undefined;
}

function connecting({ root, tls, throughProxy, facts, timeout }: RootToCheck, shown: Shown): Dispatcher {
  const options: PartnerTls = {
    ...tls,
    checkServerIdentity(host, certificate) {
      shown.facts = facts(certificate);
      const end = Date.parse(certificate.valid_to);
      if (!Number.isNaN(end)) shown.validUntil = new Date(end).toISOString();
      return tls.checkServerIdentity(host, certificate);
    },
  };
  if (throughProxy !== undefined) return throughProxy(options);
  const connector = buildConnector(options);
  return new Pool(new URL(root).origin, {
    connections: 1,
    headersTimeout: timeout,
    bodyTimeout: timeout,
    maxResponseSize: 65_536,
    connect(target, done) {
      connector(target, (error, socket) => {
        if (socket instanceof TLSSocket) {
          shown.protocol = socket.getProtocol() ?? undefined;
          shown.cipher = socket.getCipher().standardName;
        }
        if (error !== null) done(error, null);
        else done(null, socket);
      });
    },
  });
}

function tlsOf({ facts, protocol, cipher, validUntil }: Shown): Pick<RootCheck, 'tls'> {
  if (facts === undefined) return {};
  return { tls: { protocol, cipher, names: facts.names, spki: facts.spki, validUntil } };
}

function problemOf(error: unknown): NonNullable<RootCheck['problem']> {
  const { code, name, message } = error as Partial<NodeJS.ErrnoException>;
  return { code: code ?? name ?? '', text: message ?? String(error) };
}
