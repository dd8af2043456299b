// Judges the content of incoming documents: size, XML, schema, and the constraints of the application usage, in the order of RFC 4825 8.2.5.

import { canonicalUri } from '../identity/uri.ts';
import { Refusal } from '../refusals.ts';
import { type EarlierGroup, type GroupFacts, readGroup, readingGroup } from '../xml/group-document.ts';
import { checkElementNames } from '../xml/known-names.ts';
import type { XmlLimits } from '../xml/limits.ts';
import type { OffsetIndex } from '../xml/offset-index.ts';
import type { JudgedDocument, SchemaLibrary, SchemaProblem } from '../xml/schema.ts';
import { inTurns } from '../xml/turns.ts';
import { withoutUntouchedEntries } from '../xml/untouched-entries.ts';
import { indexWellFormed } from '../xml/xml-document.ts';
import { type ApplicationUsage, groupsAuid, resourceListsAuid } from './application-usage.ts';
import type { Known } from './cache.ts';
import { groupExaminer } from './examine-group.ts';
import { checkingGroupDocument, groupIdRefusal } from './group-constraints.ts';
import { checkResourceLists } from './resource-lists-constraints.ts';

/** A document that may be stored, and what was learnt of it. */
export interface Judged {
  /** Made on first use where another thread has judged the document. */
  readonly index: OffsetIndex;
  /** Group documents only; made on first use like the index. */
  readonly group?: GroupFacts | undefined;
  /** Canonical IDs of all groups in the document; empty for other usages. */
  readonly groupIds: readonly string[];
  /** What has been made of it until now. */
  readonly known: Known;
}

/** What an edit already knows of the document that it made. */
export interface KnownEdit {
  readonly index: OffsetIndex;
  /** The group document before; gives undefined for other usages. */
  readonly earlier: () => EarlierGroup | undefined;
}

type JudgingSchemas = Pick<SchemaLibrary, 'read' | 'examine' | 'prepare'>;

export class DocumentJudge {
  readonly #schemas: JudgingSchemas;
  readonly #limits: XmlLimits;
  /** Group documents that this process has found right: what is in the store may have been judged by older schemas. */
  readonly #right = new WeakSet<Uint8Array>();

  constructor(schemas: JudgingSchemas, limits: XmlLimits) {
    this.#schemas = schemas;
    this.#limits = limits;
  }

  /** Starts early what judges group documents beside this thread; resolves when it is ready. */
  prepare({ schema }: ApplicationUsage): Promise<void> {
    return this.#schemas.prepare(schema, this.#limits, groupExaminer);
  }

  /** Throws Refusal `document-too-large`; the first check of all, before anybody looks inside. */
  checkSize(bytes: Uint8Array): void {
    if (bytes.byteLength > this.#limits.documentBytes) throw new Refusal('document-too-large');
  }

  /**
   * Judges a whole document. Rejects with the Refusal of the first broken rule: `document-too-large`, `not-utf-8`, `not-well-formed`,
   * `constraint-failure`, `schema-validation-error`, `uniqueness-failure`, or `unavailable` when too many large documents wait.
   * Long lists are read and checked in slices, many small documents on another thread, so that others get their turn in between.
   */
  async judge(usage: ApplicationUsage, bytes: Uint8Array, known?: KnownEdit): Promise<Judged> {
    if (usage.auid === groupsAuid) {
      const judged = await this.#judgeGroups(usage, bytes, known);
      this.#right.add(bytes);
      return judged;
    }
    const { index, problems } = await this.#schemas.read(usage.schema, bytes, this.#limits, known?.index);
    checkProblems(problems);
    checkElementNames(index);
    if (usage.auid === resourceListsAuid) checkResourceLists(index);
    return { index, groupIds: [], known: { index } };
  }

  async #judgeGroups(usage: ApplicationUsage, bytes: Uint8Array, known: KnownEdit | undefined): Promise<Judged> {
    const examined = await this.#schemas.examine(usage.schema, bytes, this.#limits, groupExaminer);
    if (examined !== undefined) {
      checkProblems(examined.problems);
      return new ExaminedGroup(bytes, this.#limits, known?.index, examined.finding as readonly string[]);
    }
    const earlier = known?.earlier();
    const wasRight = earlier !== undefined && this.#right.has(earlier.index.bytes);
    const { index, problems } =
      (wasRight ? await this.#judgeEdit(usage, known?.index, earlier) : undefined) ??
      (await this.#schemas.read(usage.schema, bytes, this.#limits, known?.index));
    checkProblems(problems);
    checkElementNames(index);
    const group = await inTurns(readingGroup(index, earlier));
    const groupIds = await inTurns(checkingGroupDocument(index, group, wasRight ? earlier.group : undefined));
    return { index, group, groupIds, known: { index, group } };
  }

  /** Asks the schema about nothing but what an edit has touched. Undefined when that does not do, also for the problems of the whole. */
  async #judgeEdit(
    { schema }: ApplicationUsage,
    index: OffsetIndex | undefined,
    { edit }: EarlierGroup,
  ): Promise<JudgedDocument | undefined> {
    const rest = index && withoutUntouchedEntries(index, edit);
    if (index === undefined || rest === undefined) return undefined;
    const { problems } = await this.#schemas.read(schema, rest, this.#limits);
    return problems.length === 0 ? { index, problems } : undefined;
  }

  /**
   * Judges a group document that is addressed by its ID: it must hold exactly that group (TS 24.481 clause 7.2.10).
   * Rejects like `judge`, and with `uniqueness-failure` when it is another group.
   */
  async judgeGroup(
    usage: ApplicationUsage,
    groupId: string,
    bytes: Uint8Array,
  ): Promise<Judged & { readonly group: GroupFacts }> {
    const judged = await this.judge(usage, bytes);
    const { groupIds } = judged;
    if (groupIds.length !== 1) {
      throw new Refusal('constraint-failure', { phrase: 'A group addressed by its ID has exactly one list-service' });
    }
    if (groupIds[0] !== canonicalUri(groupId)) {
      throw groupIdRefusal('The group ID in the document is not the addressed one', [groupId]);
    }
    const { group } = judged;
    if (group === undefined) throw new Error(`${usage.auid} has no groups`);
    return { ...judged, index: judged.index, group, known: { index: judged.index, group } };
  }
}

/** A small group document that another thread has read and found right: most are replaced before anybody asks what is in them. */
class ExaminedGroup implements Judged {
  readonly groupIds: readonly string[];
  readonly #bytes: Uint8Array;
  readonly #limits: XmlLimits;
  #index: OffsetIndex | undefined;
  #group: GroupFacts | undefined;

  constructor(bytes: Uint8Array, limits: XmlLimits, index: OffsetIndex | undefined, groupIds: readonly string[]) {
    this.groupIds = groupIds;
    this.#bytes = bytes;
    this.#limits = limits;
    this.#index = index;
  }

  get index(): OffsetIndex {
    this.#index ??= indexWellFormed(this.#bytes, this.#limits);
    return this.#index;
  }

  get group(): GroupFacts {
    this.#group ??= readGroup(this.index);
    return this.#group;
  }

  get known(): Known {
    return { index: this.#index, group: this.#group };
  }
}

function checkProblems([problem]: readonly SchemaProblem[]): void {
  if (problem === undefined) return;
  const place = problem.line > 0 ? `line ${problem.line}: ` : '';
  throw new Refusal('schema-validation-error', { phrase: `${place}${problem.message}`, cause: problem.path });
}
