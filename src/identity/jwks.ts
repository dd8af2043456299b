// JSON Web Key Sets: which keys of a set may verify signatures, and which of them fit the header of a token.
// RFC 7517 clauses 4 and 5, RFC 7515 appendix D.
import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';

// RFC 7518 3.1, RFC 8037 3.1, RFC 9864 2.2: signatures with a public key only. With HMAC the public key would be the secret.
const keyKinds = {
  RS256: 'RSA',
  RS384: 'RSA',
  RS512: 'RSA',
  PS256: 'RSA',
  PS384: 'RSA',
  PS512: 'RSA',
  ES256: 'P-256',
  ES384: 'P-384',
  ES512: 'P-521',
  EdDSA: 'Ed25519',
  Ed25519: 'Ed25519',
} as const;

/** A signature algorithm that a token may name in `alg`. */
export type SignatureAlgorithm = keyof typeof keyKinds;

/** Every signature algorithm that is accepted; `none` and HMAC are not. */
export const signatureAlgorithms = Object.keys(keyKinds) as readonly SignatureAlgorithm[];

/** True when `name` is an accepted signature algorithm. */
export function isSignatureAlgorithm(name: unknown): name is SignatureAlgorithm {
  return typeof name === 'string' && Object.hasOwn(keyKinds, name);
}

/** A public key that may verify signatures. */
export interface VerificationKey {
  readonly kid: string | undefined;
  /** The only algorithm the key is for; undefined = every one of its kind. */
  readonly alg: SignatureAlgorithm | undefined;
  readonly kind: (typeof keyKinds)[SignatureAlgorithm];
  readonly key: KeyObject;
}

export type KeySet = readonly VerificationKey[];

const mostKeys = 100;
const leastModulusBits = 2048;
const mostModulusBits = 8192;

/**
 * The verification keys in the text of a JSON Web Key Set. Keys for encryption, of unknown or symmetric types, too weak, malformed, or
 * with their private part are left out (RFC 7517 clause 5). Throws an Error when the text is no key set, or one of more than 100 keys.
 */
export function parseKeySet(text: string): KeySet {
  let set: unknown;
  try {
    set = JSON.parse(text);
  } catch {
    throw new Error('is not JSON');
  }
  if (!isRecord(set) || !Array.isArray(set.keys)) throw new Error('is not a JSON Web Key Set');
  if (set.keys.length > mostKeys) throw new Error(`holds more than ${mostKeys} keys`);
  return set.keys.flatMap((jwk: unknown) => verificationKey(jwk) ?? []);
}

/** The keys of the set that fit the algorithm and carry the key ID; with `kid` undefined, whatever key ID they carry. */
export function keysFor(set: KeySet, alg: SignatureAlgorithm, kid: string | undefined): KeySet {
  return set.filter((key) => fits(key, alg) && (kid === undefined || key.kid === kid));
}

/** The keys of the set that fit the algorithm and carry no key ID. */
export function unnamedKeysFor(set: KeySet, alg: SignatureAlgorithm): KeySet {
  return set.filter((key) => fits(key, alg) && key.kid === undefined);
}

function fits(key: VerificationKey, alg: SignatureAlgorithm): boolean {
  if (key.kind !== keyKinds[alg]) return false;
  // RFC 9864 2.2: EdDSA with an Ed25519 key and Ed25519 are the same algorithm
  return key.alg === undefined || key.alg === alg || key.kind === 'Ed25519';
}

function verificationKey(jwk: unknown): VerificationKey | undefined {
  if (!isRecord(jwk) || 'd' in jwk) return undefined;
  const { kid, alg, use, key_ops: operations } = jwk;
  // RFC 7517 4.2 to 4.4: absent use, key_ops and alg restrict nothing; all that are present must allow verification
  if (use !== undefined && use !== 'sig') return undefined;
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify'))) return undefined;
  if (alg !== undefined && !isSignatureAlgorithm(alg)) return undefined;
  if (kid !== undefined && typeof kid !== 'string') return undefined;
  const kind = jwk.kty === 'RSA' ? 'RSA' : jwk.kty === 'EC' || jwk.kty === 'OKP' ? jwk.crv : undefined;
  if (!isKeyKind(kind) || (alg !== undefined && keyKinds[alg] !== kind)) return undefined;
  const key = publicKey(jwk);
  return key === undefined ? undefined : { kid, alg, kind, key };
}

function isKeyKind(kind: unknown): kind is VerificationKey['kind'] {
  return kind === 'RSA' || kind === 'P-256' || kind === 'P-384' || kind === 'P-521' || kind === 'Ed25519';
}

function publicKey(jwk: JsonWebKey): KeyObject | undefined {
  try {
    const key = createPublicKey({ key: jwk, format: 'jwk' });
    const bits = key.asymmetricKeyDetails?.modulusLength;
    // RFC 7518 3.3: 2048 bits or more
    return bits !== undefined && (bits < leastModulusBits || bits > mostModulusBits) ? undefined : key;
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
