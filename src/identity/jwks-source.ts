// Where the keys of access tokens come from: a JSON Web Key Set in a file or at an https: URL, kept fresh in the background.
// When the source fails, the last good set stays in use.
import { readFile, stat } from 'node:fs/promises';
import { type Dispatcher, request } from 'undici';
import { Refusal } from '../refusals.ts';
import { type KeySet, parseKeySet } from './jwks.ts';
import { acceptableUrl, isUrl } from './jwks-location.ts';

/** Keys to verify with. A set is the same object for as long as its source says the same. */
export interface JwksSource {
  /** The set to use now. Throws the Refusal `unavailable` while none was ever loaded. */
  current(): Promise<KeySet>;
  /** A set newer than `known`, which lacks a key; `known` itself when there is none, or when the source was asked a moment ago. */
  refreshed(known: KeySet): Promise<KeySet>;
}

export interface JwksSourceOptions {
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Seconds between looks at a file; 5 when absent. */
  readonly fileCheckSeconds?: number | undefined;
  /** Seconds between requests to a URL that failed, or that unknown key IDs cause; 30 when absent. */
  readonly cooldownSeconds?: number | undefined;
  /** Seconds a URL may take to answer; 5 when absent. */
  readonly timeoutSeconds?: number | undefined;
  /** Connections to a URL, when they need a proxy or a CA of their own. */
  readonly dispatcher?: Dispatcher | undefined;
  /** Told when the source starts to fail, with the reason, and with undefined when it works again. */
  readonly onProblem?: ((problem: string | undefined) => void) | undefined;
}

/** Largest key set read, bytes. */
const largestSet = 256 * 1024;
/** Bounds on how long a fetched set counts as fresh, seconds; `usual` when the answer does not say. */
const freshness = { least: 60, usual: 300, most: 3600 } as const;

/**
 * The source at `location`: a file name, or a URL that must be https: (http: on a loopback address). Nothing is read before the first
 * use. Throws an Error when the URL is not acceptable.
 */
export function jwksSource(location: string, options: JwksSourceOptions): JwksSource {
  if (!isUrl(location)) {
    const seconds = options.fileCheckSeconds ?? 5;
    return new RefreshedKeys(fileLoader(location, seconds), { ...options, cooldownSeconds: seconds });
  }
  return new RefreshedKeys(urlLoader(acceptableUrl(location), options), options);
}

interface Loaded {
  /** Differs when the content of the source may have changed. */
  readonly version: string;
  readonly text: string;
  readonly freshSeconds: number;
}

type Loader = (previous: Loaded | undefined) => Promise<Loaded>;

interface Held {
  readonly loaded: Loaded;
  readonly keys: KeySet;
  readonly since: number;
}

class RefreshedKeys implements JwksSource {
  readonly #load: Loader;
  readonly #now: () => number;
  readonly #cooldown: number;
  readonly #onProblem: (problem: string | undefined) => void;
  #held: Held | undefined;
  #flight: Promise<void> | undefined;
  #attempted: number | undefined;
  #problem: string | undefined;

  constructor(load: Loader, options: JwksSourceOptions) {
    this.#load = load;
    this.#now = options.now;
    this.#cooldown = (options.cooldownSeconds ?? 30) * 1000;
    this.#onProblem = options.onProblem ?? (() => undefined);
  }

  async current(): Promise<KeySet> {
    if (this.#held === undefined) {
      await this.#refreshUnlessCooling();
    } else {
      const age = this.#now() - this.#held.since;
      const fresh = this.#held.loaded.freshSeconds * 1000;
      if (age < 0 || age >= fresh) {
        const refresh = this.#problem === undefined ? this.#refresh() : this.#refreshUnlessCooling();
        // Callers wait only after an idle time: in a busy one the set is recent, and from a broken source nothing will come
        if (age >= 2 * fresh && this.#problem === undefined) await refresh;
      }
    }
    return this.#required();
  }

  async refreshed(known: KeySet): Promise<KeySet> {
    if (this.#held?.keys === known) await this.#refreshUnlessCooling();
    return this.#required();
  }

  #required(): KeySet {
    if (this.#held !== undefined) return this.#held.keys;
    throw new Refusal('unavailable', {
      cause: `no keys to verify access tokens with: ${this.#problem ?? 'not loaded'}`,
      retryAfter: Math.max(1, Math.ceil(this.#cooldown / 1000)),
    });
  }

  async #refreshUnlessCooling(): Promise<void> {
    const sinceAttempt = this.#attempted === undefined ? undefined : this.#now() - this.#attempted;
    const cooling = sinceAttempt !== undefined && sinceAttempt >= 0 && sinceAttempt < this.#cooldown;
    if (!cooling || this.#flight !== undefined) await this.#refresh();
  }

  // Never rejects, so that it may run on its own
  #refresh(): Promise<void> {
    this.#flight ??= this.#attempt().finally(() => {
      this.#flight = undefined;
    });
    return this.#flight;
  }

  async #attempt(): Promise<void> {
    this.#attempted = this.#now();
    try {
      const previous = this.#held;
      const loaded = await this.#load(previous?.loaded);
      const keys = previous?.loaded.text === loaded.text ? previous.keys : parseKeySet(loaded.text);
      this.#held = { loaded, keys, since: this.#now() };
      this.#report(undefined);
    } catch (error) {
      this.#report(failure(error));
    }
  }

  #report(problem: string | undefined): void {
    if (problem === this.#problem) return;
    this.#problem = problem;
    this.#onProblem(problem);
  }
}

// A connection refused on several addresses is an AggregateError without a message
function failure(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.message || (error as NodeJS.ErrnoException).code || error.name;
}

function fileLoader(file: string, freshSeconds: number): Loader {
  return async (previous) => {
    const { mtimeMs, size, ino } = await stat(file);
    const version = `${mtimeMs} ${size} ${ino}`;
    if (previous?.version === version) return previous;
    if (size > largestSet) throw new Error(`${file} is larger than ${largestSet} bytes`);
    return { version, text: await readFile(file, 'utf8'), freshSeconds };
  };
}

function urlLoader(url: URL, { timeoutSeconds = 5, dispatcher }: JwksSourceOptions): Loader {
  return async () => {
    const { statusCode, headers, body } = await request(url, {
      ...(dispatcher === undefined ? {} : { dispatcher }),
      headers: { accept: 'application/jwk-set+json, application/json' },
      signal: AbortSignal.timeout(timeoutSeconds * 1000),
      // The next request is minutes away
      reset: true,
    });
    if (statusCode !== 200) {
      await body.dump({ limit: largestSet });
      throw new Error(`${url.origin} answered ${statusCode}`);
    }
    const text = await boundedText(body, url);
    return { version: text, text, freshSeconds: freshSeconds(headers['cache-control']) };
  };
}

async function boundedText(body: AsyncIterable<Buffer>, url: URL): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body) {
    bytes += chunk.length;
    if (bytes > largestSet) throw new Error(`${url.origin} sent more than ${largestSet} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

// RFC 9111 5.2.2: what forbids caching gets the shortest time, since each token cannot cost a request
function freshSeconds(cacheControl: string | readonly string[] | undefined): number {
  const directives = [cacheControl ?? []].flat().join(',').toLowerCase();
  if (/(^|[\s,])no-(store|cache)/.test(directives)) return freshness.least;
  const seconds = /(?:^|[\s,])max-age="?(\d{1,9})/.exec(directives)?.[1];
  return seconds === undefined ? freshness.usual : Math.min(freshness.most, Math.max(freshness.least, Number(seconds)));
}
