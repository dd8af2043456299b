// Partners and deliveries in the management API: what stands between us and each partner, and both flows by hand.
import { type Request, Router } from 'express';
import type { PartnerConfiguration } from '../config/schema.ts';
import { uriDomain } from '../identity/uri.ts';
import { inactivity } from '../interconnect/agreement.ts';
import { unknownPartner } from '../interconnect/partners.ts';
import type { DeliveryProgress } from '../interconnect/ports.ts';
import { Refusal } from '../refusals.ts';
import type { DeliveryRecord } from '../store/store.ts';
import type { ListedPartner } from './listings.ts';
import type { ManagementContext } from './management-context.ts';
import { checkGroup, checkUnlimited, mayAct, operatorOf } from './operators.ts';
import { otherMethods } from './problem-answer.ts';
import { checkPartnerName, removedPartners } from './removed-partners.ts';
import { bodyFlag, bodyGroupId, bodyPattern, checkOneOf, groupIdOf, pathValue, queryValue } from './request-values.ts';

const states: readonly DeliveryRecord['state'][] = ['queued', 'delivered', 'parked', 'braked'];

/** Routes below `/partners`. */
export function partnerRoutes(context: ManagementContext): Router {
  const router = Router({ strict: true, caseSensitive: true });
  router.get('/', async (_request, response) => {
    response.json({ partners: await listPartners(context) });
  });
  router.post('/:partner/pull', async (request, response) => {
    const partner = partnerOf(context, request);
    const pattern = bodyPattern(request);
    const operator = operatorOf(response);
    if (pattern !== undefined) {
      checkOneOf(request, 'groupId', 'groups');
      checkUnlimited(operator);
      response.status(202).json(await context.own.pullAll(partner.name, pattern, operatorOf(response).identity));
      return;
    }
    const groupId = bodyGroupId(request);
    checkGroup(operator, groupId);
    const domain = uriDomain(groupId);
    if (domain !== undefined && !partner.domains.includes(domain)) {
      throw new Refusal('partner-not-authoritative', { phrase: `${partner.name} is not the home of this group` });
    }
    const brought = await context.own.pull(groupId, operatorOf(response).identity).catch(notGiven(partner.name));
    response.json({ groupId, ...brought });
  });
  router.get('/:partner/pull', (request, response) => {
    const progress = context.own.pullProgress(partnerOf(context, request).name);
    if (progress === undefined)
      throw new Refusal('not-found', { phrase: 'Nothing was pulled by pattern since the start' });
    response.json(progress);
  });
  router.post('/:partner/reconcile', (request, response) => {
    const { name } = partnerOf(context, request);
    const order = { pattern: bodyPattern(request) ?? '*', repair: bodyFlag(request, 'repair') };
    response.status(202).json(context.own.reconcile(name, order, operatorOf(response).identity));
  });
  router.get('/:partner/reconcile', (request, response) => {
    const progress = context.own.reconciliation(partnerOf(context, request).name);
    if (progress === undefined) throw new Refusal('not-found', { phrase: 'Nothing was compared since the start' });
    response.json(progress);
  });
  router.post('/:partner/test', async (request, response) => {
    response.json(await context.own.testPartner(partnerOf(context, request).name, operatorOf(response).identity));
  });
  router.delete('/:partner', async (request, response) => {
    const partner = pathValue(request, 'partner');
    await checkPartnerName(context.store, context.partners(), partner);
    response.json({ partner, ...(await context.own.forgetPartner(partner, operatorOf(response).identity)) });
  });
  router.post('/:partner/push', async (request, response) => {
    const { name } = partnerOf(context, request);
    const groupId = bodyGroupId(request);
    checkGroup(operatorOf(response), groupId);
    response.status(202).json(await context.own.push(name, groupId, operatorOf(response).identity));
  });
  router.all('/', otherMethods('GET', 'HEAD'));
  router.all('/:partner/pull', otherMethods('GET', 'HEAD', 'POST'));
  router.all('/:partner/push', otherMethods('POST'));
  router.all('/:partner/reconcile', otherMethods('GET', 'HEAD', 'POST'));
  router.all('/:partner/test', otherMethods('POST'));
  router.all('/:partner', otherMethods('DELETE'));
  return router;
}

/** Routes below `/deliveries`. */
export function deliveryRoutes(context: ManagementContext): Router {
  const router = Router({ strict: true, caseSensitive: true });
  router.get('/', async (request, response) => {
    const partner = queryValue(request, 'partner');
    if (partner !== undefined) await checkPartnerName(context.store, context.partners(), partner);
    const wanted = queryValue(request, 'state');
    const state = states.find((one) => one === wanted);
    if (wanted !== undefined && state === undefined) {
      throw new Refusal('bad-request', { phrase: `The state must be one of ${states.join(', ')}` });
    }
    const filter = { ...(partner === undefined ? {} : { partner }), ...(state === undefined ? {} : { state }) };
    const deliveries = await context.store.deliveries(filter);
    response.json({ deliveries: deliveries.filter(({ groupId }) => mayAct(operatorOf(response), groupId)) });
  });
  router.post('/:partner/:groupId/retry', async (request, response) => {
    const delivery = await deliveryOf(context, request);
    await context.own.retryDelivery(delivery.partner, delivery.groupId, operatorOf(response).identity);
    response.json({ partner: delivery.partner, groupId: delivery.groupId, retried: true });
  });
  router.post('/:partner/release', async (request, response) => {
    const { name } = partnerOf(context, request);
    const released = await context.own.releaseBrake(name, undefined, operatorOf(response).identity);
    response.json({ partner: name, released });
  });
  router.post('/:partner/:groupId/release', async (request, response) => {
    const { partner, groupId } = await deliveryOf(context, request);
    await context.own.releaseBrake(partner, groupId, operatorOf(response).identity);
    response.json({ partner, groupId, released: 1 });
  });
  router.delete('/:partner/:groupId', async (request, response) => {
    const delivery = await deliveryOf(context, request);
    await context.own.dropDelivery(delivery.partner, delivery.groupId, operatorOf(response).identity);
    response.json({ partner: delivery.partner, groupId: delivery.groupId, dropped: true });
  });
  router.all('/', otherMethods('GET', 'HEAD'));
  router.all(['/:partner/release', '/:partner/:groupId/retry', '/:partner/:groupId/release'], otherMethods('POST'));
  router.all('/:partner/:groupId', otherMethods('DELETE'));
  return router;
}

const nothing: Omit<DeliveryProgress, 'partner'> = {
  queued: 0,
  inFlight: 0,
  delivered: 0,
  parked: 0,
  braked: 0,
  circuit: 'closed',
};

async function listPartners({ own, partners, store, now }: ManagementContext): Promise<readonly ListedPartner[]> {
  const progress = new Map((await own.deliveryProgress()).map(({ partner, ...rest }) => [partner, rest]));
  const sourcesOf = async (
    name: string,
  ): Promise<Pick<ListedPartner, 'groupsHeld' | 'groupsStale' | 'groupsHeldBack'>> => {
    const sources = await store.sourceStates(name);
    return {
      groupsHeld: sources.length,
      groupsStale: sources.filter(({ staleSince }) => staleSince !== undefined).length,
      groupsHeldBack: sources.filter(({ heldSince }) => heldSince !== undefined).length,
    };
  };
  const removed = await removedPartners(store, partners());
  const orphanDomains = new Map<string, Set<string | undefined>>(removed.map((name) => [name, new Set()]));
  for (const { partner, groupId } of removed.length === 0 ? [] : await store.sourceStates()) {
    orphanDomains.get(partner)?.add(uriDomain(groupId));
  }
  const orphans = removed.map(async (name): Promise<ListedPartner> => {
    const counts = (await store.deliveryCounts(name)).map(({ state, count }) => ({ state, count }));
    const inState = (state: DeliveryRecord['state']): number =>
      counts.filter((one) => one.state === state).reduce((sum, { count }) => sum + count, 0);
    const deliveries = {
      ...nothing,
      queued: inState('queued'),
      delivered: inState('delivered'),
      parked: inState('parked'),
      braked: inState('braked'),
    };
    const known = { name, domains: [], gms: '', xcapRoots: [], state: 'removed', active: false };
    const homes = partners()
      .filter(({ domains }) => domains.some((domain) => orphanDomains.get(name)?.has(domain)))
      .map((partner) => partner.name);
    return { ...known, ...(await sourcesOf(name)), homes, deliveries };
  });
  return Promise.all([
    ...partners().map(async (partner): Promise<ListedPartner> => {
      return {
        name: partner.name,
        domains: partner.domains,
        gms: partner.gms,
        xcapRoots: partner.xcapRoots,
        state: partner.agreement.state,
        active: inactivity(partner.agreement, now()) === undefined,
        ...(await sourcesOf(partner.name)),
        deliveries: progress.get(partner.name) ?? nothing,
      };
    }),
    ...orphans,
  ]);
}

// What the home answers is the same whether it has no such group or may not give it.
function notGiven(name: string): (error: unknown) => never {
  return (error) => {
    if (!(error instanceof Refusal) || error.code !== 'not-found') throw error;
    const phrase = `${name} gives no such group: it has none with this ID, or its agreement does not cover it; its journal tells which`;
    throw new Refusal('not-found', { ...error.detail, phrase });
  };
}

function partnerOf({ partners }: ManagementContext, request: Request): PartnerConfiguration {
  const name = pathValue(request, 'partner');
  const partner = partners().find((one) => one.name === name);
  if (partner === undefined) throw unknownPartner(name, partners());
  return partner;
}

// A delivery may belong to a partner that is configured no more: it can still be dropped.
async function deliveryOf({ store, partners }: ManagementContext, request: Request): Promise<DeliveryRecord> {
  const partner = pathValue(request, 'partner');
  const delivery = await store.delivery(partner, groupIdOf(request));
  if (delivery !== undefined) return delivery;
  await checkPartnerName(store, partners(), partner);
  throw new Refusal('not-found', { phrase: 'No such delivery' });
}
