// Groups in the management API: list, read, create, replace, delete. Foreign groups are read only here.
import { createHash } from 'node:crypto';
import express, { type Request, type Response, Router } from 'express';
import { groupsAuid } from '../documents/application-usage.ts';
import type { ServedDocument } from '../documents/documents.ts';
import { type RefusedDerivation, refusedKind } from '../documents/provenance.ts';
import type { AdministratorPrincipal } from '../identity/principal.ts';
import { Refusal } from '../refusals.ts';
import type { DocumentKey, DocumentSummary, SourceRecord } from '../store/store.ts';
import type { HeldGroup, ListedGroup, ProfileEntry, RefusedGroup } from './listings.ts';
import type { ManagementContext } from './management-context.ts';
import { mayAct, operatorOf } from './operators.ts';
import { otherMethods } from './problem-answer.ts';
import { provenanceOf } from './provenance.ts';
import { checkPartnerName } from './removed-partners.ts';
import { groupIdOf, preconditionsOf, queryFlag, queryNumber, queryValue } from './request-values.ts';

const mediaType = 'application/vnd.oma.poc.groups+xml';
const pageSize = 1000;

/** Routes below `/groups`; bodies up to `documentBytes`. */
export function groupRoutes(context: ManagementContext, documentBytes: number): Router {
  const router = Router({ strict: true, caseSensitive: true });
  const body = express.raw({ type: () => true, limit: documentBytes });
  router.get('/', (request, response) => list(context, request, response));
  router.post('/:groupId/release', async (request, response) => {
    const groupId = groupIdOf(request);
    response.json({ groupId, ...(await context.own.release(groupId, operatorOf(response).identity)) });
  });
  router.get('/:groupId/provenance', async (request, response) => {
    const provenance = await provenanceOf(context, groupIdOf(request));
    if (provenance === undefined)
      throw new Refusal('not-found', { phrase: 'No group of a partner is kept under this ID' });
    response.json(provenance);
  });
  router
    .route('/:groupId')
    .get((request, response) => read(context, request, response))
    .put(body, (request, response) => write(context, request, response))
    .delete((request, response) => remove(context, request, response))
    .all(otherMethods('GET', 'HEAD', 'PUT', 'DELETE'));
  router.all('/', otherMethods('GET', 'HEAD'));
  router.all('/:groupId/provenance', otherMethods('GET', 'HEAD'));
  router.all('/:groupId/release', otherMethods('POST'));
  return router;
}

// Groups that wait for a release may have no document yet, so they are listed by their sources.
async function listHeld(
  { store, documents }: ManagementContext,
  partner: string | undefined,
  operator: AdministratorPrincipal,
): Promise<object> {
  const sources = (await store.sources(partner)).filter(
    ({ heldSince, groupId }) => heldSince !== undefined && mayAct(operator, groupId),
  );
  const held = await Promise.all(
    sources.map(async ({ groupId, partner: home, tag, policy, policyVersion, heldSince = '' }): Promise<HeldGroup> => {
      const servedTag = (await documents.findGroup(groupId))?.tag;
      return { groupId, partner: home, sourceTag: tag, servedTag, policy, policyVersion, heldSince };
    }),
  );
  return { held };
}

// Copies that the policy of now does not accept: what is served was made by an older version.
async function listRefused(
  { store }: ManagementContext,
  partner: string | undefined,
): Promise<readonly RefusedGroup[]> {
  const homes = new Map((await store.sourceStates(partner)).map((source) => [source.groupId, source.partner]));
  return (await store.records(refusedKind)).flatMap(({ name, value }) => {
    const home = homes.get(name);
    return home === undefined ? [] : [{ groupId: name, partner: home, ...(JSON.parse(value) as RefusedDerivation) }];
  });
}

async function list(context: ManagementContext, request: Request, response: Response): Promise<void> {
  const { store, documents } = context;
  const limit = Math.max(1, queryNumber(request, 'limit', pageSize, 10_000));
  const partner = queryValue(request, 'partner');
  const operator = operatorOf(response);
  if (partner !== undefined) await checkPartnerName(store, context.partners(), partner);
  if (queryFlag(request, 'profile', false)) {
    const sources = (await store.sourceStates(partner)).filter(({ groupId }) => mayAct(operator, groupId));
    const profile = sources.map(
      ({ groupId, partner: home }): ProfileEntry => ({ groupId, partner: home, ...context.ownAddress }),
    );
    response.json({ profile });
    return;
  }
  if (queryFlag(request, 'held', false)) {
    response.json(await listHeld(context, partner, operator));
    return;
  }
  if (queryFlag(request, 'refused', false)) {
    const refused = (await listRefused(context, partner)).filter(({ groupId }) => mayAct(operator, groupId));
    response.json({ refused });
    return;
  }
  const after = readCursor(queryValue(request, 'after'));
  const found = await documents.list({
    auid: groupsAuid,
    groups: true,
    limit,
    ...(partner === undefined ? {} : { tree: 'global' as const }),
    ...(after === undefined ? {} : { after }),
  });
  const foreign = found.some(({ key }) => key.tree === 'global');
  const sources = new Map((foreign ? await store.sources(partner) : []).map((source) => [source.groupId, source]));
  const groups = found
    .map((document) => listedGroup(document, sources.get(document.groupId ?? '')))
    .filter((group) => (partner === undefined || group.partner === partner) && mayAct(operator, group.groupId));
  const last = found.length === limit ? found.at(-1)?.key : undefined;
  response.json({ groups, ...(last === undefined ? {} : { next: cursor(last) }) });
}

async function read({ store, documents }: ManagementContext, request: Request, response: Response): Promise<void> {
  const groupId = groupIdOf(request);
  const document = await documents.findGroup(groupId);
  if (document === undefined) throw new Refusal('not-found');
  response.set('ETag', `"${document.tag}"`);
  response.set('Vary', 'Accept');
  if (request.accepts(['application/json', mediaType, 'application/xml']) === 'application/json') {
    const source = await store.source(groupId);
    response.json({ ...listedGroup({ ...document, size: document.bytes.length }, source), lists: facts(document) });
    return;
  }
  response.type(mediaType).send(Buffer.from(document.bytes));
}

async function write(context: ManagementContext, request: Request, response: Response): Promise<void> {
  const { documents } = context;
  const groupId = groupIdOf(request);
  if (!context.isHomed(groupId)) throw new Refusal('group-not-homed-here');
  // A body without a media type is taken to be what belongs here.
  if (request.get('content-type') !== undefined && request.is([mediaType, 'application/xml', 'text/xml']) === false) {
    throw new Refusal('unsupported-media-type', { phrase: `The body must be ${mediaType} or application/xml` });
  }
  const body: unknown = request.body;
  const bytes = Buffer.isBuffer(body) ? body : Buffer.alloc(0);
  // the document must be that of the group in the path, or it would be stored under another ID
  await documents.checkGroup(groupId, bytes);
  const key = (await documents.findGroup(groupId))?.key ?? newKey(context, groupId);
  const outcome = await documents.put(operatorOf(response), key, bytes, preconditionsOf(request));
  response.set('ETag', `"${outcome.tag}"`);
  response.status(outcome.created ? 201 : 200).json({ groupId, ...outcome });
}

async function remove({ documents, isHomed }: ManagementContext, request: Request, response: Response): Promise<void> {
  const groupId = groupIdOf(request);
  const document = await documents.findGroup(groupId);
  if (document === undefined) throw new Refusal('not-found');
  if (!isHomed(groupId)) throw new Refusal('group-not-homed-here');
  await documents.delete(operatorOf(response), document.key, preconditionsOf(request));
  response.json({ groupId, deleted: true });
}

// TS 24.481 6.2.2: groups are created below the group creation XUI; the name only has to be free there.
function newKey(context: ManagementContext, groupId: string): DocumentKey {
  const xui = context.groupCreationXui();
  if (xui === undefined) {
    throw new Refusal('not-found', { phrase: 'system.groupCreationXui is not configured: no place to create groups' });
  }
  return { auid: groupsAuid, tree: 'users', xui, name: nameOf(groupId) };
}

/** Characters of the longest name made of a group ID. */
const longestName = 255;

function nameOf(groupId: string): string {
  const name = `${groupId.replace(/[%/]/g, encodeURIComponent)}.xml`;
  return name.length <= longestName ? name : `${createHash('sha256').update(groupId).digest('hex')}.xml`;
}

function listedGroup(
  document: Omit<DocumentSummary, 'key'> & { readonly key: DocumentKey },
  source: Omit<SourceRecord, 'bytes'> | undefined,
): ListedGroup {
  return {
    groupId: document.groupId ?? '',
    home: document.key.tree === 'users',
    tag: document.tag,
    size: document.size,
    modified: document.modified,
    ...(source === undefined
      ? {}
      : {
          partner: source.partner,
          sourceTag: source.tag,
          primaryTag: source.primaryTag,
          policy: source.policy,
          policyVersion: source.policyVersion,
          appliedRules: source.appliedRules,
          staleSince: source.staleSince,
          heldSince: source.heldSince,
        }),
  };
}

function facts(document: ServedDocument): readonly object[] {
  return (document.group?.listServices ?? []).map((listService) => ({
    groupId: listService.uri,
    displayName: listService.displayName,
    owner: listService.owner,
    services: listService.services,
    regrouped: listService.regrouped,
    temporary: listService.temporary,
    members: listService.members.entries.map(
      ({ element: _element, member: _member, identities: _identities, ...entry }) => entry,
    ),
  }));
}

function cursor(key: DocumentKey): string {
  return Buffer.from(JSON.stringify([key.auid, key.tree, key.xui, key.name])).toString('base64url');
}

function readCursor(text: string | undefined): DocumentKey | undefined {
  if (text === undefined) return undefined;
  try {
    const [auid, tree, xui, name] = JSON.parse(Buffer.from(text, 'base64url').toString()) as readonly unknown[];
    if (typeof auid === 'string' && (tree === 'users' || tree === 'global')) {
      if (typeof xui === 'string' && typeof name === 'string') return { auid, tree, xui, name };
    }
  } catch {
    // told below
  }
  throw new Refusal('bad-request', { phrase: 'The cursor in after is none of ours' });
}
