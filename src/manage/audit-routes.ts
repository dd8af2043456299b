// The journal in the management API: read, exported line by line, verified, and freed of persons.
import { setImmediate } from 'node:timers/promises';
import { type Request, Router } from 'express';
import { canonicalUri } from '../identity/uri.ts';
import { Refusal } from '../refusals.ts';
import { parseAnchor, verifyJournal } from '../store/journal-verify.ts';
import type { JournalRecord, Store } from '../store/store.ts';
import { erasePerson } from './erase-person.ts';
import { sendJsonLines } from './json-lines.ts';
import type { ManagementContext } from './management-context.ts';
import { operatorOf } from './operators.ts';
import { otherMethods } from './problem-answer.ts';
import { queryInstant, queryNumber, queryValue } from './request-values.ts';

/** Entries that are read at once. */
const slice = 500;

/** Which entries are wanted. */
interface Wanted {
  readonly after: number;
  readonly subject: string | undefined;
  readonly actor: string | undefined;
  readonly action: string | undefined;
  /** ISO 8601; from the first on, before the second. */
  readonly since: string | undefined;
  readonly until: string | undefined;
}

/** Routes below `/journal`. */
export function auditRoutes(context: ManagementContext): Router {
  const router = Router({ strict: true, caseSensitive: true });
  const { now, store } = context;
  router.get('/', async (request, response) => {
    const limit = Math.max(1, queryNumber(request, 'limit', 200, 1000));
    const entries: JournalRecord[] = [];
    for await (const entry of entriesOf(store, wantedBy(request, now()))) {
      if (entries.push(entry) >= limit) break;
    }
    response.json({ entries });
  });
  router.get('/export', (request, response) => sendJsonLines(response, entriesOf(store, wantedBy(request, now()))));
  router.get('/verification', async (request, response) => {
    const text = queryValue(request, 'anchor');
    const anchor = text === undefined ? undefined : parseAnchor(text);
    if (text !== undefined && anchor === undefined) {
      throw new Refusal('bad-request', { phrase: 'The anchor must be SEQUENCE:HASH as a verification told it' });
    }
    const { anchor: found, ...verdict } = await verifyJournal(store, anchor);
    response.json({ ...verdict, anchor: `${found.sequence}:${found.hash}` });
  });
  router.post('/erasure', async (request, response) => {
    response.json(await erasePerson(context, personOf(request), operatorOf(response).identity));
  });
  router.all(['/', '/export', '/verification'], otherMethods('GET', 'HEAD'));
  router.all('/erasure', otherMethods('POST'));
  return router;
}

function wantedBy(request: Request, now: number): Wanted {
  return {
    after: queryNumber(request, 'after', 0, Number.MAX_SAFE_INTEGER),
    subject: queryValue(request, 'subject'),
    actor: queryValue(request, 'actor'),
    action: queryValue(request, 'action'),
    since: queryInstant(request, 'since', now),
    until: queryInstant(request, 'until', now),
  };
}

/** Goes through the journal in slices; others get their turn in between. */
async function* entriesOf(store: Store, wanted: Wanted): AsyncGenerator<JournalRecord> {
  const { subject, actor, action, since, until } = wanted;
  let after = wanted.after;
  for (;;) {
    const found = await store.journal({ after, limit: slice, ...(subject === undefined ? {} : { subject }) });
    for (const entry of found) {
      if (actor !== undefined && entry.actor !== actor) continue;
      if (action !== undefined && entry.action !== action) continue;
      if ((since !== undefined && entry.at < since) || (until !== undefined && entry.at >= until)) continue;
      yield entry;
    }
    const last = found.at(-1);
    if (last === undefined || found.length < slice) return;
    after = last.sequence;
    await setImmediate();
  }
}

function personOf(request: Request): string {
  const body: unknown = request.body;
  const person = typeof body === 'object' && body !== null && 'person' in body ? body.person : undefined;
  if (typeof person === 'string' && canonicalUri(person) !== undefined) return person;
  throw new Refusal('bad-request', { phrase: 'person must be the URI of an identity' });
}
