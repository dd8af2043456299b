// The Store in a PostgreSQL database: one session that writes and holds the store for this gateway alone, one that reads.
// For installations whose database is looked after elsewhere: backed up, replicated, failed over.

// Taken from the module, not the globals: a faked clock must not stop the network.
import { setTimeout as pause } from 'node:timers/promises';
import { type PostgresAddress, parsePostgresUrl } from '../../postgres-url.ts';
import type { CommitCounters } from '../commit-counters.ts';
import { type ChainedEntry, type ChainLink, chainStart } from '../journal-chain.ts';
import {
  type ChainLinkRow,
  chainedOf,
  type DeliveryCountRow,
  type DeliveryRow,
  type DocumentRow,
  deliveryOf,
  documentOf,
  type JournalRow,
  journalOf,
  type SourceRow,
  type SourceStateRow,
  sourceOf,
  sourceStateOf,
  summaryOf,
  type WithBytes,
  type WithReleased,
} from '../rows.ts';
import type {
  Commit,
  CommitOutcome,
  DeliveryCount,
  DeliveryRecord,
  DocumentFilter,
  DocumentKey,
  DocumentSummary,
  JournalEnds,
  JournalErased,
  JournalErasure,
  JournalPruning,
  JournalRecord,
  KeptRecord,
  SourceRecord,
  SourceState,
  SourceSummary,
  Store,
  StoredDocument,
  SubscriptionRecord,
} from '../store.ts';
import { StoreError } from '../store-error.ts';
import { CommitQueue } from './commit-queue.ts';
import { storeFailure } from './failures.ts';
import { planErasure, planPruning } from './journal-writes.ts';
import { deliveriesQuery, documentsQuery, reads } from './read-statements.ts';
import { Reader } from './reader.ts';
import { connect } from './take-store.ts';
import { type ConnectionNote, Writer } from './writer.ts';

/** A Store that also tells how its commits were batched. */
export interface PostgresStore extends Store {
  readonly counters: CommitCounters;
}

export interface PostgresStoreOptions {
  /** Stamps documents and deliveries. */
  readonly now?: () => Date;
  /** Milliseconds that reads and commits wait for a lost connection before they are refused. */
  readonly patience?: number;
  /** Hears when the connection is lost and regained, and of settings of the server that endanger what is stored. */
  readonly onNote?: (note: StoreNote) => void;
}

/** `unsafe`: the server runs with `fsync` off. */
export type StoreNote = ConnectionNote | { readonly event: 'unsafe'; readonly error: Error };

const defaultPatience = 15_000;
/** How long a store that is closed waits at most for what is under way on a lost connection, milliseconds. */
const closePatience = 5_000;

/**
 * Opens the store in the database that `url` names (`postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=verify-full`), or makes it in an
 * empty one. Rejects with StoreError, whose message never holds the password.
 */
export async function openPostgresStore(url: string, options: PostgresStoreOptions = {}): Promise<PostgresStore> {
  const parsed = parsePostgresUrl(url);
  if ('problem' in parsed) throw new StoreError('refused', `the URL of the database ${parsed.problem}`);
  const { address } = parsed;
  const { patience = defaultPatience, onNote = () => undefined, now = () => new Date() } = options;
  const reader = new Reader(address, patience);
  const hear = (note: ConnectionNote): void => {
    if (note.event === 'lost') reader.renew();
    onNote(note);
  };
  const { writer, found } = await Writer.open({ address, patience, onNote: hear });
  try {
    if (!found.syncs) {
      const text = 'the server runs with fsync off: a crash of its machine destroys the store';
      onNote({ event: 'unsafe', error: storeFailure(address, new StoreError('failed', text)) });
    }
    const [head] = await reader.rows<ChainLinkRow>(reads.journalHead);
    const [last] = await reader.rows<{ readonly sequence: number | null }>(reads.journalLast);
    // What somebody added behind the end keeps its number, so that it is found and stops no commit.
    const sequence = Math.max(head?.sequence ?? 0, last?.sequence ?? 0);
    const ends = { sequence: found.sequence, head: { sequence, hash: head?.hash ?? chainStart } };
    return new PostgresDatabaseStore({
      address,
      writer,
      reader,
      queue: new CommitQueue(writer, now, ends),
      closePatience: Math.min(patience, closePatience),
    });
  } catch (error) {
    await reader.close();
    await writer.close();
    throw error;
  }
}

interface Parts {
  readonly address: PostgresAddress;
  readonly writer: Writer;
  readonly reader: Reader;
  readonly queue: CommitQueue;
  readonly closePatience: number;
}

class PostgresDatabaseStore implements PostgresStore {
  readonly #address: PostgresAddress;
  readonly #writer: Writer;
  readonly #reader: Reader;
  readonly #queue: CommitQueue;
  readonly #closePatience: number;
  #closed: Promise<void> | undefined;

  constructor({ address, writer, reader, queue, closePatience }: Parts) {
    this.#address = address;
    this.#writer = writer;
    this.#reader = reader;
    this.#queue = queue;
    this.#closePatience = closePatience;
  }

  get counters(): CommitCounters {
    return this.#queue.counters;
  }

  async document(key: DocumentKey): Promise<StoredDocument | undefined> {
    const row = await this.#row<DocumentRow & WithBytes>('document', key.auid, key.tree, key.xui, key.name);
    return row === undefined ? undefined : documentOf(row);
  }

  async groupDocument(groupId: string): Promise<StoredDocument | undefined> {
    const row = await this.#row<DocumentRow & WithBytes>('groupDocument', groupId);
    return row === undefined ? undefined : documentOf(row);
  }

  async documents(filter: DocumentFilter): Promise<readonly DocumentSummary[]> {
    const { statement, values } = documentsQuery(filter);
    return (await this.#open().rows<DocumentRow>(statement, values)).map(summaryOf);
  }

  async source(groupId: string): Promise<SourceRecord | undefined> {
    const row = await this.#row<SourceRow & WithReleased>('source', groupId);
    if (row === undefined) return undefined;
    const { bytes, released } = row;
    return { ...sourceOf(row), bytes, ...(released === null ? {} : { released }) };
  }

  async sources(partner?: string): Promise<readonly SourceSummary[]> {
    const rows =
      partner === undefined
        ? await this.#rows<SourceRow>('sources')
        : await this.#rows<SourceRow>('sourcesOfPartner', partner);
    return rows.map(sourceOf);
  }

  async sourceStates(partner?: string): Promise<readonly SourceState[]> {
    const rows =
      partner === undefined
        ? await this.#rows<SourceStateRow>('sourceStates')
        : await this.#rows<SourceStateRow>('sourceStatesOfPartner', partner);
    return rows.map(sourceStateOf);
  }

  async delivery(partner: string, groupId: string): Promise<DeliveryRecord | undefined> {
    const row = await this.#row<DeliveryRow>('delivery', partner, groupId);
    return row === undefined ? undefined : deliveryOf(row);
  }

  async deliveries(
    filter: { readonly partner?: string; readonly state?: DeliveryRecord['state'] } = {},
  ): Promise<readonly DeliveryRecord[]> {
    const { statement, values } = deliveriesQuery(filter);
    return (await this.#open().rows<DeliveryRow>(statement, values)).map(deliveryOf);
  }

  async deliveryCounts(partner?: string): Promise<readonly DeliveryCount[]> {
    return partner === undefined
      ? this.#rows<DeliveryCountRow>('deliveryCounts')
      : this.#rows<DeliveryCountRow>('deliveryCountsOfPartner', partner);
  }

  async dueDeliveries(partner: string, now: string, limit: number): Promise<readonly DeliveryRecord[]> {
    return (await this.#rows<DeliveryRow>('dueDeliveries', partner, now, limit)).map(deliveryOf);
  }

  async waitingDeliveries(partner: string, limit: number): Promise<readonly DeliveryRecord[]> {
    return (await this.#rows<DeliveryRow>('waitingDeliveries', partner, limit)).map(deliveryOf);
  }

  async memo(name: string): Promise<string | undefined> {
    return (await this.#row<{ readonly value: string }>('memo', name))?.value;
  }

  async subscriptions(): Promise<readonly SubscriptionRecord[]> {
    return this.#rows<SubscriptionRecord>('subscriptions');
  }

  async journal(
    filter: { readonly after?: number; readonly subject?: string; readonly limit?: number } = {},
  ): Promise<readonly JournalRecord[]> {
    const { after = 0, subject, limit = null } = filter;
    const rows =
      subject === undefined
        ? await this.#rows<JournalRow>('journal', after, limit)
        : await this.#rows<JournalRow>('journalOfSubject', subject, after, limit);
    return rows.map(journalOf);
  }

  async pruneJournal(pruning: JournalPruning): Promise<number> {
    this.#open();
    return this.#queue.run((session) => planPruning(session, pruning), 'the journal could not be pruned');
  }

  async eraseJournal(erasure: JournalErasure): Promise<JournalErased> {
    this.#open();
    const erased = await this.#queue.run(
      (session) => planErasure(session, erasure),
      'the journal could not be changed',
    );
    // The last slice comes after what was erased elsewhere.
    if (erased.erased > 0 || erased.last === undefined) await this.#vacuum();
    return erased;
  }

  async journalChain(after: number, limit: number): Promise<readonly ChainedEntry[]> {
    return (await this.#rows<JournalRow>('journal', after, limit)).map(chainedOf);
  }

  async journalEnds(): Promise<JournalEnds> {
    const rows = await this.#rows<ChainLinkRow & { readonly name: string }>('journalEnds');
    const link = (end: 'base' | 'head'): ChainLink => {
      const row = rows.find(({ name }) => name === end);
      return row === undefined ? { sequence: 0, hash: chainStart } : { sequence: row.sequence, hash: row.hash };
    };
    return { base: link('base'), head: link('head') };
  }

  async record(kind: string, name: string): Promise<string | undefined> {
    return (await this.#row<{ readonly value: string }>('record', kind, name))?.value;
  }

  async records(
    kind: string,
    { after = '', limit }: { readonly after?: string; readonly limit?: number } = {},
  ): Promise<readonly KeptRecord[]> {
    return this.#rows<KeptRecord>('records', kind, after, limit ?? null);
  }

  async commit(commit: Commit): Promise<CommitOutcome> {
    this.#open();
    return this.#queue.commit(commit);
  }

  close(): Promise<void> {
    this.#closed ??= this.#drainAndClose();
    return this.#closed;
  }

  async #drainAndClose(): Promise<void> {
    await Promise.race([this.#queue.drain(), pause(this.#closePatience, undefined, { ref: false })]);
    await this.#writer.close();
    await this.#reader.close();
  }

  #open(): Reader {
    if (this.#closed !== undefined) throw new StoreError('closed', 'the store is closed');
    return this.#reader;
  }

  #rows<Row>(name: keyof typeof reads, ...values: readonly unknown[]): Promise<readonly Row[]> {
    return this.#open().rows<Row>(reads[name], values);
  }

  async #row<Row>(name: keyof typeof reads, ...values: readonly unknown[]): Promise<Row | undefined> {
    return (await this.#rows<Row>(name, ...values))[0];
  }

  // What was overwritten stays in its table as a dead row until somebody comes by. In a session of its own: commits go on meanwhile.
  async #vacuum(): Promise<void> {
    const session = await connect(this.#address, { silence: 0 });
    try {
      await session.query({ text: 'VACUUM journal, record, memo' });
    } catch (error) {
      throw storeFailure(this.#address, error);
    } finally {
      await session.end();
    }
  }
}
