// Slows down who guesses Digest passwords: so many wrong responses at once, then a few for each minute; the rest is not even looked at.
// Bounded memory; who has proven himself from an address is not locked out by what others try from elsewhere.
import { LRUCache } from 'lru-cache';

export interface DigestBrake {
  /** Seconds after which credentials of this user from this address are looked at again; undefined = they are looked at now. */
  wait(user: string | undefined, address: string): number | undefined;
  /** Counts a wrong response. `user` is undefined when there is none of that name. */
  wrong(user: string | undefined, address: string): void;
  /** Remembers that this user has proven himself from this address. */
  right(user: string, address: string): void;
}

export interface DigestBrakeOptions {
  /** Wrong responses that may come at once, for one user and for one address; 20 when absent. */
  readonly burst?: number | undefined;
  /** Seconds after which one more is looked at; 6 when absent. */
  readonly recoverySeconds?: number | undefined;
  /** Addresses, and proven pairs of user and address, that are remembered; 10,000 each when absent. */
  readonly capacity?: number | undefined;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** Makes a brake. RFC 7616 clause 5.7: online dictionary attacks are countered by limiting the attempts. */
export function digestBrake({
  burst = 20,
  recoverySeconds = 6,
  capacity = 10_000,
  now,
}: DigestBrakeOptions): DigestBrake {
  const step = recoverySeconds * 1000;
  // What is kept is when the guesses made so far will be forgotten: each adds a step to that, milliseconds since 1970
  const guesses = new LRUCache<string, number>({ max: capacity });
  // There are no more of these than users in the file, and none may be pushed out by inventing addresses
  const ofUsers = new Map<string, number>();
  const proven = new LRUCache<string, true>({ max: capacity });

  const waitFor = (forgotten = 0): number => forgotten - now() - (burst - 1) * step;
  const oneMore = (forgotten = 0): number => Math.min(Math.max(forgotten, now()) + step, now() + burst * step);

  return {
    wait(user, address) {
      const network = networkOf(address);
      const pair = pairOf(user, network);
      const known = pair !== undefined && proven.has(pair);
      const longest = known
        ? waitFor(guesses.get(pair))
        : Math.max(waitFor(guesses.get(network)), waitFor(user === undefined ? undefined : ofUsers.get(user)));
      return longest > 0 ? Math.ceil(longest / 1000) : undefined;
    },
    wrong(user, address) {
      const network = networkOf(address);
      const pair = pairOf(user, network);
      if (pair !== undefined && proven.has(pair)) {
        guesses.set(pair, oneMore(guesses.get(pair)));
        return;
      }
      guesses.set(network, oneMore(guesses.get(network)));
      if (user !== undefined) ofUsers.set(user, oneMore(ofUsers.get(user)));
    },
    right(user, address) {
      proven.set(`${networkOf(address)} ${user}`, true);
    },
  };
}

function pairOf(user: string | undefined, network: string): string | undefined {
  return user === undefined ? undefined : `${network} ${user}`;
}

// RFC 4291 2.5.4: one host of IPv6 has 2^64 addresses at its disposal
function networkOf(address: string): string {
  if (!address.includes(':') || address.includes('.')) return address;
  const [head = '', tail] = address.split('::');
  const before = head.split(':').filter((group) => group !== '');
  const behind = (tail ?? '').split(':').filter((group) => group !== '');
  const zeros = tail === undefined ? 0 : 8 - before.length - behind.length;
  return [...before, ...Array<string>(Math.max(0, zeros)).fill('0'), ...behind].slice(0, 4).join(':');
}
