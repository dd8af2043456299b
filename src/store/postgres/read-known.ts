// Reads, inside the transaction of a batch, what is stored under the keys that its commits touch.

import type { DocumentKey, RecordWrite } from '../store.ts';
import { type Asked, type Known, type KnownDocument, placeOf, recordPlace } from './judge.ts';
import type { Session } from './session.ts';

type DocumentRow = DocumentKey & { readonly tag: string; readonly group_id: string | null };

const sql = {
  documents: `
    SELECT d.auid, d.tree, d.xui, d.name, d.tag, d.group_id
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS row (auid, tree, xui, name)
    JOIN document d ON d.auid = row.auid AND d.tree = row.tree AND d.xui = row.xui AND d.name = row.name`,
  holders: 'SELECT auid, tree, xui, name, tag, group_id FROM document WHERE group_id = ANY ($1::text[])',
  sources: 'SELECT group_id, tag FROM source WHERE group_id = ANY ($1::text[])',
  records: `
    SELECT r.kind, r.name, r.value FROM unnest($1::text[], $2::text[]) AS row (kind, name)
    JOIN record r ON r.kind = row.kind AND r.name = row.name`,
} as const;

/** What is stored under the keys asked for; all questions go out at once. */
export async function readKnown(session: Session, asked: Asked): Promise<Known> {
  const rows = async <Row>(
    name: keyof typeof sql,
    count: number,
    values: () => readonly unknown[],
  ): Promise<readonly Row[]> =>
    count === 0 ? [] : (await session.query<Row>({ name: `known-${name}`, text: sql[name] }, values())).rows;
  const keys = asked.documents;
  const [documents, holders, sources, records] = await Promise.all([
    rows<DocumentRow>('documents', keys.length, () => [
      keys.map(({ auid }) => auid),
      keys.map(({ tree }) => tree),
      keys.map(({ xui }) => xui),
      keys.map(({ name }) => name),
    ]),
    rows<DocumentRow>('holders', asked.groupIds.length, () => [asked.groupIds]),
    rows<{ readonly group_id: string; readonly tag: string }>('sources', asked.sources.length, () => [asked.sources]),
    rows<RecordWrite & { readonly value: string }>('records', asked.records.length, () => [
      asked.records.map(({ kind }) => kind),
      asked.records.map(({ name }) => name),
    ]),
  ]);
  return {
    documents: new Map(
      documents.map((row): [string, KnownDocument] => [placeOf(row), { tag: row.tag, groupId: row.group_id }]),
    ),
    holders: new Map(
      holders.flatMap((row): [string, string][] => (row.group_id === null ? [] : [[row.group_id, placeOf(row)]])),
    ),
    sources: new Map(sources.map(({ group_id, tag }) => [group_id, tag])),
    records: new Map(records.map((row) => [recordPlace(row), row.value])),
  };
}
