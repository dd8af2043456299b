// Judges the content of incoming documents: size, XML, schema, and the constraints of the application usage, in the order of RFC 4825 8.2.5.

import { canonicalUri } from '../identity/uri.ts';
import { Refusal } from '../refusals.ts';
import { type EarlierGroup, type GroupFacts, readingGroup } from '../xml/group-document.ts';
import type { XmlLimits } from '../xml/limits.ts';
import type { OffsetIndex } from '../xml/offset-index.ts';
import type { SchemaLibrary } from '../xml/schema.ts';
import { inTurns } from '../xml/turns.ts';
import { type ApplicationUsage, groupsAuid, resourceListsAuid } from './application-usage.ts';
import { checkingGroupDocument, groupIdRefusal } from './group-constraints.ts';
import { checkResourceLists } from './resource-lists-constraints.ts';

/** A document that may be stored, and what was learnt of it. */
export interface Judged {
  readonly index: OffsetIndex;
  /** Group documents only. */
  readonly group?: GroupFacts | undefined;
  /** Canonical IDs of all groups in the document; empty for other usages. */
  readonly groupIds: readonly string[];
}

/** What an edit already knows of the document that it made. */
export interface KnownEdit {
  readonly index: OffsetIndex;
  /** The group document before; undefined for other usages. */
  readonly earlier: EarlierGroup | undefined;
}

export class DocumentJudge {
  readonly #schemas: Pick<SchemaLibrary, 'read'>;
  readonly #limits: XmlLimits;

  constructor(schemas: Pick<SchemaLibrary, 'read'>, limits: XmlLimits) {
    this.#schemas = schemas;
    this.#limits = limits;
  }

  /** Throws Refusal `document-too-large`; the first check of all, before anybody looks inside. */
  checkSize(bytes: Uint8Array): void {
    if (bytes.byteLength > this.#limits.documentBytes) throw new Refusal('document-too-large');
  }

  /**
   * Judges a whole document. Rejects with the Refusal of the first broken rule: `document-too-large`, `not-utf-8`, `not-well-formed`,
   * `constraint-failure`, `schema-validation-error`, `uniqueness-failure`, or `unavailable` when too many large documents wait.
   * Long lists are read and checked in slices, so that others get their turn in between.
   */
  async judge(usage: ApplicationUsage, bytes: Uint8Array, known?: KnownEdit): Promise<Judged> {
    const { index, problems } = await this.#schemas.read(usage.schema, bytes, this.#limits, known?.index);
    const [problem] = problems;
    if (problem !== undefined) {
      const place = problem.line > 0 ? `line ${problem.line}: ` : '';
      throw new Refusal('schema-validation-error', { phrase: `${place}${problem.message}`, cause: problem.path });
    }
    if (usage.auid === resourceListsAuid) checkResourceLists(index);
    if (usage.auid !== groupsAuid) return { index, groupIds: [] };
    const group = await inTurns(readingGroup(index, known?.earlier));
    const groupIds = await inTurns(checkingGroupDocument(index, group));
    return { index, group, groupIds };
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
    const { group, groupIds } = judged;
    if (group === undefined || groupIds.length !== 1) {
      throw new Refusal('constraint-failure', { phrase: 'A group addressed by its ID has exactly one list-service' });
    }
    if (groupIds[0] !== canonicalUri(groupId)) {
      throw groupIdRefusal('The group ID in the document is not the addressed one', [groupId]);
    }
    return { ...judged, group };
  }
}
