// Local edits of foreign groups in the management API: listed, shown, dropped, based anew.
import { type Request, Router } from 'express';
import { type OverlayEdit, overlayKind, readOverlay } from '../documents/overlay.ts';
import { Refusal } from '../refusals.ts';
import type { ListedOverlay, ShownEdit } from './listings.ts';
import type { ManagementContext } from './management-context.ts';
import { operatorOf } from './operators.ts';
import { otherMethods } from './problem-answer.ts';
import { groupIdOf, pathValue, queryNumber, queryValue } from './request-values.ts';

/** Routes below `/overlays`. */
export function overlayRoutes(context: ManagementContext): Router {
  const router = Router({ strict: true, caseSensitive: true });
  const { store, documents, localEdits } = context;
  router.get('/', async (request, response) => {
    const limit = Math.max(1, queryNumber(request, 'limit', 1000, 10_000));
    const after = queryValue(request, 'after');
    const records = await store.records(overlayKind, { limit, ...(after === undefined ? {} : { after }) });
    const overlays = await Promise.all(
      records.map(async ({ name, value }): Promise<ListedOverlay> => {
        const { edits } = readOverlay(value);
        const conflicting = edits.filter(({ conflict }) => conflict !== undefined).length;
        const servedTag = (await documents.findGroup(name))?.tag;
        return { groupId: name, edits: edits.length, conflicting, ...(servedTag === undefined ? {} : { servedTag }) };
      }),
    );
    const last = records.length === limit ? records.at(-1)?.name : undefined;
    response.json({ overlays, ...(last === undefined ? {} : { next: last }) });
  });
  router.get('/:groupId', async (request, response) => {
    const groupId = groupIdOf(request);
    const { edits } = await documents.overlay(groupId);
    if (edits.length === 0) throw new Refusal('not-found', { phrase: 'This group has no local edits' });
    response.json({ groupId, edits: edits.map(shown) });
  });
  router.delete('/:groupId', async (request, response) => {
    const groupId = groupIdOf(request);
    response.json({
      groupId,
      edits: (await localEdits.drop(groupId, undefined, operatorOf(response).identity)).map(shown),
    });
  });
  router.delete('/:groupId/edits/:edit', async (request, response) => {
    const groupId = groupIdOf(request);
    const edits = await localEdits.drop(groupId, editOf(pathValue(request, 'edit')), operatorOf(response).identity);
    response.json({ groupId, edits: edits.map(shown) });
  });
  router.post('/:groupId/rebase', async (request, response) => {
    const groupId = groupIdOf(request);
    const edits = await localEdits.rebase(groupId, rebaseOf(request), operatorOf(response).identity);
    response.json({ groupId, edits: edits.map(shown) });
  });
  router.all('/', otherMethods('GET', 'HEAD'));
  router.all('/:groupId', otherMethods('GET', 'HEAD', 'DELETE'));
  router.all('/:groupId/edits/:edit', otherMethods('DELETE'));
  router.all('/:groupId/rebase', otherMethods('POST'));
  return router;
}

/** An edit as JSON: namespaces as an object. */
export function shown({ operations, ...edit }: OverlayEdit): ShownEdit {
  return {
    ...edit,
    operations: operations.map(({ namespaces, ...one }) => ({ ...one, namespaces: Object.fromEntries(namespaces) })),
  };
}

function editOf(text: unknown): number {
  const number = typeof text === 'string' && /^\d{1,9}$/.test(text) ? Number(text) : text;
  if (typeof number === 'number' && Number.isInteger(number) && number > 0) return number;
  throw new Refusal('bad-request', { phrase: 'The number of the edit must be a whole number' });
}

function rebaseOf(request: Request): { readonly edit?: number; readonly select?: string } {
  const body: unknown = request.body;
  const { edit, select } = (typeof body === 'object' && body !== null ? body : {}) as {
    readonly edit?: unknown;
    readonly select?: unknown;
  };
  if (edit === undefined) {
    if (select === undefined) return {};
    throw new Refusal('bad-request', { phrase: 'A selector is for one edit: name its number' });
  }
  if (select === undefined) return { edit: editOf(edit) };
  if (typeof select !== 'string' || select === '' || select.length > 10_000) {
    throw new Refusal('bad-request', { phrase: 'select must be a selector of RFC 5261' });
  }
  return { edit: editOf(edit), select };
}
