// What is asked of the candidates: one table row for each.
import { bodyText, type LoadRequest } from '../support/wrk.ts';
import type { Candidate, CandidateName } from './candidate.ts';
import { groupDocument, memberEntry, memberId, membersFor } from './group-documents.ts';

export type WorkloadId =
  | 'get'
  | 'not-modified'
  | 'element-get'
  | 'put'
  | 'element-put-5k'
  | 'element-put-100k'
  | 'element-put-2m';

export interface StoredDocument {
  readonly name: string;
  readonly text: string;
}

export interface Workload {
  readonly id: WorkloadId;
  readonly title: string;
  readonly candidates: readonly CandidateName[];
  readonly connections: number;
  /** Stored before anything is measured. */
  readonly documents: readonly StoredDocument[];
  /** Statuses that mean it was done. */
  readonly expected: readonly number[];
  /** Whether requests name an element by a node selector. */
  readonly element: boolean;
  /** Watch the event loop of candidates that allow it. */
  readonly watchLoop: boolean;
  /** What is sent, in turns; `etag` is that of the first document. */
  requests(candidate: Candidate, etag: string): readonly LoadRequest[];
}

/** Connections of all rows that measure rates. */
export const connections = 32;

// as many as connections, twice, so that writes do not wait for each other on one document
const writtenDocuments = 64;
const largeGroupMembers = 10_000;
const setUpCounter = 99_999_999;

/** The rows of the table in their order. */
export function workloads(): readonly Workload[] {
  const fiveKilobytes = membersFor(5_000);
  const read: readonly StoredDocument[] = [document('bench-read', fiveKilobytes)];
  const rows: readonly (Omit<Workload, 'connections' | 'watchLoop'> & Partial<Workload>)[] = [
    {
      id: 'get',
      title: 'GET, 5 KB',
      candidates: ['mcgw', 'node:http', 'nginx', 'kamailio'],
      documents: read,
      expected: [200],
      element: false,
      requests: (candidate) => read.map(({ name }) => getRequest(candidate, candidate.documentPath(name))),
    },
    {
      id: 'not-modified',
      title: 'GET with If-None-Match, 304',
      candidates: ['mcgw', 'node:http', 'nginx', 'kamailio'],
      documents: read,
      expected: [304],
      element: false,
      requests: (candidate, etag) =>
        read.map(({ name }) => getRequest(candidate, candidate.documentPath(name), { 'If-None-Match': etag })),
    },
    {
      id: 'element-get',
      title: 'GET of an element, 5 KB document',
      candidates: ['mcgw', 'kamailio'],
      documents: read,
      expected: [200],
      element: true,
      requests: (candidate) =>
        read.map(({ name }) => getRequest(candidate, elementPath(candidate, name, fiveKilobytes >> 1))),
    },
    documentPut(fiveKilobytes),
    elementPut('element-put-5k', 'PUT of an element, 5 KB document', fiveKilobytes),
    elementPut('element-put-100k', 'PUT of an element, 100 KB document', membersFor(100_000)),
    {
      ...elementPut('element-put-2m', 'PUT of an element, 10,000 members (2 MB), one at a time', largeGroupMembers, 1),
      connections: 1,
      watchLoop: true,
    },
  ];
  return rows.map((row) => ({ connections, watchLoop: false, ...row }));
}

/** The rows of these names, in their order; all without names. Throws when there is none of a name. */
export function chosenRows(names: readonly string[] | undefined): readonly Workload[] {
  const all = workloads();
  const unknown = names?.find((name) => !all.some(({ id }) => id === name));
  if (unknown !== undefined) throw new Error(`no row ${unknown}; there are ${all.map(({ id }) => id).join(', ')}`);
  return names === undefined ? all : all.filter(({ id }) => names.includes(id));
}

type Row = Omit<Workload, 'connections' | 'watchLoop'>;

function documentPut(members: number): Row {
  const names = numbered('bench-put', writtenDocuments);
  return {
    id: 'put',
    title: 'PUT, 5 KB',
    candidates: ['mcgw', 'node:http', 'kamailio'],
    documents: names.map((name) => document(name, members)),
    expected: [200, 201, 204],
    element: false,
    requests: (candidate) =>
      names.map((name) => ({
        method: 'PUT',
        path: candidate.documentPath(name),
        headers: { ...candidate.headers, 'Content-Type': candidate.types.document },
        body: groupDocument({ name, members }),
      })),
  };
}

function elementPut(id: WorkloadId, title: string, members: number, documents = writtenDocuments): Row {
  const names = numbered(`bench-${id}`, documents);
  const member = members >> 1;
  return {
    id,
    title,
    candidates: ['mcgw', 'kamailio'],
    documents: names.map((name) => document(name, members)),
    expected: [200, 201, 204],
    element: true,
    requests: (candidate) =>
      names.map((name) => ({
        method: 'PUT',
        path: elementPath(candidate, name, member),
        headers: { ...candidate.headers, 'Content-Type': candidate.types.element },
        body: memberEntry(member),
      })),
  };
}

function numbered(name: string, count: number): readonly string[] {
  return Array.from({ length: count }, (_, n) => `${name}-${String(n).padStart(2, '0')}`);
}

function document(name: string, members: number): StoredDocument {
  return { name, text: bodyText(groupDocument({ name, members }), setUpCounter) };
}

function getRequest(candidate: Candidate, path: string, more: Readonly<Record<string, string>> = {}): LoadRequest {
  return { method: 'GET', path, headers: { ...candidate.headers, ...more } };
}

// RFC 4825 6.3: brackets and quotation marks of a node selector are percent-encoded
function elementPath(candidate: Candidate, name: string, member: number): string {
  const entry = `entry%5B@uri=%22${memberId(member)}%22%5D`;
  return `${candidate.documentPath(name)}/~~/group/list-service/list/${entry}`;
}
