// Pseudonyms: an identity sealed into a SIP URI by keyed deterministic authenticated encryption. The same identity always gives the same
// pseudonym, nobody without the key can make or read one, and a changed pseudonym is recognised (the SIV construction of RFC 5297,
// with HMAC-SHA-256 as its pseudo-random function and AES-256-CTR as its cipher).
import { createCipheriv, createDecipheriv, createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';

/** What the user part of every pseudonym begins with. */
const mark = 'p-';
const tagLength = 16;
/** Identities are padded to a multiple of this, so that a pseudonym does not tell the length of a name, bytes. */
const block = 32;
const alphabet = 'abcdefghijklmnopqrstuvwxyz234567';

/** Bytes of a usable key at least. */
export const shortestKey = 16;

export interface PseudonymSeal {
  /** The pseudonym (canonical SIP URI) of an identity (canonical URI). */
  seal(identity: string): string;
  /** The identity behind a pseudonym; undefined when the key did not make it. */
  reveal(pseudonym: string): string | undefined;
}

/** The seal of one key for pseudonyms in one domain. */
export function pseudonymSeal(key: Uint8Array, domain: string): PseudonymSeal {
  const authentication = derived(key, 'authentication');
  const encryption = derived(key, 'encryption');
  const tagOf = (padded: Uint8Array): Buffer =>
    createHmac('sha256', authentication).update(padded).digest().subarray(0, tagLength);
  return {
    seal: (identity) => {
      const padded = pad(Buffer.from(identity));
      const tag = tagOf(padded);
      const cipher = createCipheriv('aes-256-ctr', encryption, tag);
      return `sip:${mark}${base32(Buffer.concat([tag, cipher.update(padded), cipher.final()]))}@${domain}`;
    },
    reveal: (pseudonym) => {
      const user = /^sips?:p-([a-z2-7]+)@/i.exec(pseudonym.trim())?.[1];
      const bytes = user === undefined ? undefined : fromBase32(user.toLowerCase());
      if (bytes === undefined || bytes.length < tagLength + block) return undefined;
      const tag = bytes.subarray(0, tagLength);
      const cipher = createDecipheriv('aes-256-ctr', encryption, tag);
      const padded = Buffer.concat([cipher.update(bytes.subarray(tagLength)), cipher.final()]);
      if (!timingSafeEqual(tagOf(padded), tag)) return undefined;
      return padded.toString('utf8', 0, padded.lastIndexOf(1));
    },
  };
}

function derived(key: Uint8Array, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', key, '', `mc-group-gateway pseudonym ${purpose}`, 32));
}

// A 1 behind the text, zeros up to the block: the text itself has no bytes below the space.
function pad(text: Buffer): Buffer {
  const padded = Buffer.alloc(Math.ceil((text.length + 1) / block) * block);
  text.copy(padded);
  padded[text.length] = 1;
  return padded;
}

// RFC 4648 clause 6 in lower case: hosts and clients that fold case do no harm.
function base32(bytes: Uint8Array): string {
  let text = '';
  let bits = 0;
  let held = 0;
  for (const byte of bytes) {
    held = ((held << 8) | byte) & 0xfff;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += alphabet[(held >>> bits) & 31];
    }
  }
  return bits > 0 ? text + alphabet[(held << (5 - bits)) & 31] : text;
}

function fromBase32(text: string): Buffer | undefined {
  const bytes: number[] = [];
  let bits = 0;
  let held = 0;
  for (const letter of text) {
    held = ((held << 5) | alphabet.indexOf(letter)) & 0xfff;
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push((held >>> bits) & 0xff);
  }
  const found = Buffer.from(bytes);
  // Only one spelling of a pseudonym is one.
  return base32(found) === text ? found : undefined;
}
