// Nonces of Digest authentication: each proves by itself when we issued it; only counts of nonces in use are remembered.
// RFC 7616 clauses 3.3, 3.4 and 5.4.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { boundedCache } from './bounded-cache.ts';

/** `stale`: not ours, expired, or its count does not grow. The client may try again with a new nonce. */
export type NonceUse = 'fresh' | 'stale';

export interface DigestNonces {
  /** A new nonce, unlike all others. */
  issue(): string;
  /**
   * Uses a nonce, once the credentials are known to be right. `count` is the nc of the request and must be larger than any before;
   * undefined, from clients that do not count, uses the nonce up.
   */
  use(nonce: string, count: number | undefined): NonceUse;
}

export interface DigestNoncesOptions {
  /** Known to this server alone, at least 16 octets; nonces of another secret are stale. */
  readonly secret: Buffer;
  readonly realm: string;
  /** Seconds; 300 when absent. */
  readonly lifetimeSeconds?: number | undefined;
  /** Nonces in use that are remembered; 10,000 when absent. */
  readonly capacity?: number | undefined;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Random octets, such as randomBytes of node:crypto. */
  readonly random: (size: number) => Buffer;
}

const timeBytes = 6;
const randomByteCount = 10;
const sealBytes = 16;
const nonceBytes = timeBytes + randomByteCount + sealBytes;

/** Makes a book of nonces. Throws an Error when the secret is too short. */
export function digestNonces(options: DigestNoncesOptions): DigestNonces {
  const { secret, realm, lifetimeSeconds = 300, capacity = 10_000, now, random } = options;
  if (secret.length < 16) throw new Error('the secret of Digest nonces must have at least 16 octets');
  const counts = boundedCache<number>(capacity);
  // Nonces issued up to here may have lost their counts
  let forgotten = 0;

  const seal = (body: Buffer): Buffer =>
    createHmac('sha256', secret).update(body).update(realm).digest().subarray(0, sealBytes);
  const issuedAt = (nonce: string): number | undefined => {
    // Base64url of 32 octets has a last character with idle bits: only the one spelling we gave out may count
    const bytes = Buffer.from(nonce, 'base64url');
    if (bytes.length !== nonceBytes || bytes.toString('base64url') !== nonce) return undefined;
    const body = bytes.subarray(0, nonceBytes - sealBytes);
    return timingSafeEqual(seal(body), bytes.subarray(nonceBytes - sealBytes))
      ? body.readUIntBE(0, timeBytes)
      : undefined;
  };

  return {
    issue() {
      const body = Buffer.alloc(timeBytes);
      body.writeUIntBE(Math.max(now(), forgotten + 1), 0, timeBytes);
      const unique = Buffer.concat([body, random(randomByteCount)]);
      return Buffer.concat([unique, seal(unique)]).toString('base64url');
    },

    use(nonce, count) {
      const issued = issuedAt(nonce);
      const expires = (issued ?? 0) + lifetimeSeconds * 1000;
      if (issued === undefined || issued <= forgotten || now() >= expires) return 'stale';
      const next = count ?? Number.POSITIVE_INFINITY;
      const last = counts.get(nonce) ?? 0;
      if (next <= last) return 'stale';
      // A nonce whose count was forgotten could be replayed, so all that were out until now are stale from here on
      if (!counts.remember(nonce, next, (expires - now()) / 1000)) forgotten = Math.max(forgotten, now());
      return 'fresh';
    },
  };
}
