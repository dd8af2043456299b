// One connection to the server: statements go out without waiting for each other's answers, and an answer that never comes ends it.
// Nothing is tried again here; who uses a session that is lost hears so by name.

import { readFileSync } from 'node:fs';
// Taken from the module, not the globals: a faked clock must not stop the network.
import { clearTimeout, setTimeout } from 'node:timers';
import type { ConnectionOptions } from 'node:tls';
import { Client, type QueryResult, types } from 'pg';
import type { PostgresAddress, PostgresTls } from '../../postgres-url.ts';
import { ConnectionLost, endsSession } from './failures.ts';

/** SQL with the name under which a session keeps it prepared. */
export interface Statement {
  readonly name?: string;
  readonly text: string;
}

export interface Answer<Row> {
  readonly rows: readonly Row[];
  /** Rows read or written. */
  readonly count: number;
  /** The tag of the command, such as `COMMIT`. */
  readonly command: string;
}

export interface SessionOptions {
  /** Hears once, with the reason, that the session is of no use any more, unless it was ended here. */
  readonly onLost?: (reason: ConnectionLost) => void;
  /** Milliseconds that the server may leave us without an answer; 0 = for ever. */
  readonly silence?: number;
}

const connectPatience = 10_000;
const defaultSilence = 30_000;
/** How long an end may take before the socket is closed without a word, milliseconds. */
const endPatience = 1_000;
/** OID of bigint: ours are numbers of things that are counted. */
const bigint = 20;

export class Session {
  readonly #client: Client;
  readonly #onLost: ((reason: ConnectionLost) => void) | undefined;
  readonly #silence: number;
  #lost: ConnectionLost | undefined;
  #ended = false;
  #underWay = 0;
  #watch: NodeJS.Timeout | undefined;

  private constructor(client: Client, options: SessionOptions) {
    this.#client = client;
    this.#onLost = options.onLost;
    this.#silence = options.silence ?? defaultSilence;
    client.on('error', (error) => this.#lose(error));
    client.on('end', () => this.#lose(new Error('the server closed it')));
  }

  /** Connects and authenticates. Rejects with what the socket, TLS or the server says. */
  static async open(address: PostgresAddress, options: SessionOptions = {}): Promise<Session> {
    const client = new Client(clientOptions(address));
    const failed = Promise.withResolvers<never>();
    // Some faults of authentication come as an event only
    client.on('error', failed.reject);
    try {
      await Promise.race([client.connect(), failed.promise]);
    } catch (error) {
      client.connection.stream.destroy();
      throw error;
    }
    client.off('error', failed.reject);
    failed.promise.catch(() => undefined);
    return new Session(client, options);
  }

  get isLost(): boolean {
    return this.#lost !== undefined;
  }

  /** Statements that wait for their answers. */
  get underWay(): number {
    return this.#underWay;
  }

  /** Sends a statement behind those under way. Rejects with ConnectionLost, or with what the server says. */
  async query<Row>(statement: Statement, values: readonly unknown[] = []): Promise<Answer<Row>> {
    if (this.#lost !== undefined) throw this.#lost;
    this.#began();
    try {
      const answered: QueryResult | QueryResult[] = await this.#client.query({ ...statement, values: [...values] });
      const result = Array.isArray(answered) ? answered.at(-1) : answered;
      return { rows: result?.rows ?? [], count: result?.rowCount ?? 0, command: result?.command ?? '' };
    } catch (error) {
      if (endsSession(error)) this.destroy(error);
      throw this.#lost ?? error;
    } finally {
      this.#answered();
    }
  }

  /** Says goodbye; resolves when the connection is closed. */
  async end(): Promise<void> {
    if (this.#lost !== undefined) return;
    this.#ended = true;
    this.#lost = new ConnectionLost(new Error('it was ended'));
    const hurry = setTimeout(() => this.#client.connection.stream.destroy(), endPatience);
    await this.#client.end().catch(() => undefined);
    clearTimeout(hurry);
  }

  /** Closes the socket at once. */
  destroy(reason: unknown): void {
    this.#lose(reason);
    this.#client.connection.stream.destroy();
  }

  #lose(reason: unknown): void {
    clearTimeout(this.#watch);
    if (this.#lost !== undefined) return;
    this.#lost = new ConnectionLost(reason);
    if (!this.#ended) this.#onLost?.(this.#lost);
  }

  #began(): void {
    this.#underWay++;
    if (this.#underWay === 1) this.#listen();
  }

  #answered(): void {
    this.#underWay--;
    clearTimeout(this.#watch);
    if (this.#underWay > 0) this.#listen();
  }

  // Who was cut off without a word would else wait for the kernel, which takes a quarter of an hour.
  #listen(): void {
    if (this.#silence === 0 || this.#lost !== undefined) return;
    this.#watch = setTimeout(
      () => this.destroy(new Error(`no answer within ${this.#silence / 1000} seconds`)),
      this.#silence,
    );
    this.#watch.unref();
  }
}

function clientOptions(address: PostgresAddress): object {
  const { host, port, database, user, password, tls, options, application, connectTimeout } = address;
  return {
    host,
    port,
    database,
    user,
    ...(password === undefined ? {} : { password }),
    ...(options === undefined ? {} : { options }),
    ssl: tls === undefined ? false : tlsOptions(tls),
    application_name: application ?? 'mcgw',
    connectionTimeoutMillis: connectTimeout === undefined ? connectPatience : connectTimeout * 1000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    pipeline: true,
    types: {
      getTypeParser: (oid: number, format: 'text' | 'binary') =>
        oid === bigint ? Number : types.getTypeParser(oid, format),
    },
  };
}

function tlsOptions({ verify, ca, cert, key }: PostgresTls): ConnectionOptions {
  return {
    minVersion: 'TLSv1.2',
    rejectUnauthorized: verify !== 'nothing',
    ...(verify === 'issuer' ? { checkServerIdentity: () => undefined } : {}),
    ...(ca === undefined ? {} : { ca: readFileSync(ca) }),
    ...(cert === undefined || key === undefined ? {} : { cert: readFileSync(cert), key: readFileSync(key) }),
  };
}
