// The Store over one SQLite file (WAL, each commit synced before it is acknowledged), exclusively ours while open. The default of a single gateway.

import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
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
import { type CommitLog, commitLog } from './commit-log.ts';
import { CommitQueue } from './group-commit.ts';
import { eraseJournal, pruneJournal } from './journal-upkeep.ts';
import { messageOf, openDatabase } from './open-database.ts';
import { deliveriesQuery, documentsQuery, prepareStatements, type Query, type Statements } from './statements.ts';

/** A Store that also tells how its commits were batched. */
export interface SqliteStore extends Store {
  readonly counters: CommitCounters;
}

/**
 * Opens or creates the store in `file` (mode 0600, directories created); `now` stamps documents and deliveries.
 * Rejects with StoreError: `in-use`, `not-a-store`, `newer-version`, `not-writable` or `failed`.
 */
export async function openSqliteStore(file: string, options: { readonly now?: () => Date } = {}): Promise<SqliteStore> {
  return new SqliteFileStore(openDatabase(file), options.now ?? (() => new Date()));
}

class SqliteFileStore implements SqliteStore {
  readonly #database: DatabaseSync;
  readonly #statements: Statements;
  readonly #queue: CommitQueue;
  readonly #log: CommitLog;
  #closed: Promise<void> | undefined;
  /** Prepared listings by SQL text; there are few shapes of filter. */
  readonly #listings = new Map<string, StatementSync>();

  constructor(database: DatabaseSync, now: () => Date) {
    this.#database = database;
    this.#log = commitLog(database);
    this.#statements = prepareStatements(database);
    this.#queue = new CommitQueue(database, this.#statements, this.#log, now);
  }

  get counters(): CommitCounters {
    return this.#queue.counters;
  }

  async document(key: DocumentKey): Promise<StoredDocument | undefined> {
    const row = this.#get<DocumentRow & WithBytes>('document', key.auid, key.tree, key.xui, key.name);
    return row === undefined ? undefined : documentOf(row);
  }

  async groupDocument(groupId: string): Promise<StoredDocument | undefined> {
    const row = this.#get<DocumentRow & WithBytes>('groupDocument', groupId);
    return row === undefined ? undefined : documentOf(row);
  }

  async documents(filter: DocumentFilter): Promise<readonly DocumentSummary[]> {
    return this.#list<DocumentRow>(documentsQuery(filter)).map(summaryOf);
  }

  async source(groupId: string): Promise<SourceRecord | undefined> {
    const row = this.#get<SourceRow & WithReleased>('source', groupId);
    if (row === undefined) return undefined;
    const { bytes, released } = row;
    return { ...sourceOf(row), bytes, ...(released === null ? {} : { released }) };
  }

  async sources(partner?: string): Promise<readonly SourceSummary[]> {
    const rows =
      partner === undefined ? this.#all<SourceRow>('sources') : this.#all<SourceRow>('sourcesOfPartner', partner);
    return rows.map(sourceOf);
  }

  async sourceStates(partner?: string): Promise<readonly SourceState[]> {
    const rows =
      partner === undefined
        ? this.#all<SourceStateRow>('sourceStates')
        : this.#all<SourceStateRow>('sourceStatesOfPartner', partner);
    return rows.map(sourceStateOf);
  }

  async delivery(partner: string, groupId: string): Promise<DeliveryRecord | undefined> {
    const row = this.#get<DeliveryRow>('delivery', partner, groupId);
    return row === undefined ? undefined : deliveryOf(row);
  }

  async deliveries(
    filter: { readonly partner?: string; readonly state?: DeliveryRecord['state'] } = {},
  ): Promise<readonly DeliveryRecord[]> {
    return this.#list<DeliveryRow>(deliveriesQuery(filter)).map(deliveryOf);
  }

  async deliveryCounts(partner?: string): Promise<readonly DeliveryCount[]> {
    const rows =
      partner === undefined
        ? this.#all<DeliveryCountRow>('deliveryCounts')
        : this.#all<DeliveryCountRow>('deliveryCountsOfPartner', partner);
    return rows.map((row) => ({ ...row }));
  }

  async dueDeliveries(partner: string, now: string, limit: number): Promise<readonly DeliveryRecord[]> {
    return this.#all<DeliveryRow>('dueDeliveries', partner, now, limit).map(deliveryOf);
  }

  async waitingDeliveries(partner: string, limit: number): Promise<readonly DeliveryRecord[]> {
    return this.#all<DeliveryRow>('waitingDeliveries', partner, limit).map(deliveryOf);
  }

  async memo(name: string): Promise<string | undefined> {
    return this.#get<{ readonly value: string }>('memo', name)?.value;
  }

  async subscriptions(): Promise<readonly SubscriptionRecord[]> {
    return this.#all<SubscriptionRecord>('subscriptions').map(({ id, expires, state }) => ({ id, expires, state }));
  }

  async journal(
    filter: { readonly after?: number; readonly subject?: string; readonly limit?: number } = {},
  ): Promise<readonly JournalRecord[]> {
    const after = filter.after ?? 0;
    const limit = filter.limit ?? -1;
    const rows =
      filter.subject === undefined
        ? this.#all<JournalRow>('journal', after, limit)
        : this.#all<JournalRow>('journalOfSubject', filter.subject, after, limit);
    return rows.map(journalOf);
  }

  async pruneJournal(pruning: JournalPruning): Promise<number> {
    this.#open();
    try {
      return pruneJournal(this.#database, this.#statements, pruning);
    } catch (error) {
      throw new StoreError('failed', `the journal could not be pruned: ${messageOf(error)}`, error);
    }
  }

  async eraseJournal(erasure: JournalErasure): Promise<JournalErased> {
    this.#open();
    try {
      const erased = eraseJournal(this.#database, this.#statements, erasure);
      await this.#log.sync();
      return erased;
    } catch (error) {
      throw new StoreError('failed', `the journal could not be changed: ${messageOf(error)}`, error);
    }
  }

  async journalChain(after: number, limit: number): Promise<readonly ChainedEntry[]> {
    return this.#all<JournalRow>('journalChain', after, limit).map(chainedOf);
  }

  async journalEnds(): Promise<JournalEnds> {
    const link = (name: 'journalBase' | 'journalHead'): ChainLink => {
      const row = this.#get<ChainLinkRow>(name);
      return row === undefined ? { sequence: 0, hash: chainStart } : { sequence: row.sequence, hash: row.hash };
    };
    return { base: link('journalBase'), head: link('journalHead') };
  }

  async record(kind: string, name: string): Promise<string | undefined> {
    return this.#get<{ readonly value: string }>('record', kind, name)?.value;
  }

  async records(
    kind: string,
    { after = '', limit = -1 }: { readonly after?: string; readonly limit?: number } = {},
  ): Promise<readonly KeptRecord[]> {
    return this.#all<KeptRecord>('records', kind, after, limit).map(({ name, value }) => ({ name, value }));
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
    try {
      await this.#queue.drain();
    } finally {
      this.#database.close();
      this.#log.close();
    }
  }

  #open(): void {
    if (this.#closed !== undefined) throw new StoreError('closed', 'the store is closed');
  }

  #get<Row>(name: keyof Statements, ...values: SQLInputValue[]): Row | undefined {
    this.#open();
    return this.#statements[name].get(...values) as unknown as Row | undefined;
  }

  #all<Row>(name: keyof Statements, ...values: SQLInputValue[]): readonly Row[] {
    this.#open();
    return this.#statements[name].all(...values) as unknown as readonly Row[];
  }

  #list<Row>(query: Query): readonly Row[] {
    this.#open();
    let statement = this.#listings.get(query.text);
    if (statement === undefined) {
      statement = this.#database.prepare(query.text);
      this.#listings.set(query.text, statement);
    }
    return statement.all(...query.values) as unknown as readonly Row[];
  }
}
