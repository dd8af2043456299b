// Partners and deliveries in the management API: what stands between us and each partner, and both flows by hand.
import express, { type Request, Router } from 'express';
import type { PartnerConfiguration } from '../config/schema.ts';
import { uriDomain } from '../identity/uri.ts';
import { inactivity } from '../interconnect/agreement.ts';
import { Refusal } from '../refusals.ts';
import type { DeliveryRecord } from '../store/store.ts';
import type { ListedPartner } from './listings.ts';
import { type ManagementContext, operator } from './management-context.ts';
import { bodyGroupId, groupIdOf, pathValue, queryValue } from './request-values.ts';

const states: readonly DeliveryRecord['state'][] = ['queued', 'delivered', 'parked'];

/** Routes below `/partners`. */
export function partnerRoutes(context: ManagementContext): Router {
  const router = Router({ strict: true });
  const json = express.json({ limit: 16_384 });
  router.get('/', async (_request, response) => {
    response.json({ partners: await listPartners(context) });
  });
  router.post('/:partner/pull', json, async (request, response) => {
    const partner = partnerOf(context, request);
    const groupId = bodyGroupId(request);
    const domain = uriDomain(groupId);
    if (domain !== undefined && !partner.domains.includes(domain)) {
      throw new Refusal('partner-not-authoritative', { phrase: `${partner.name} is not the home of this group` });
    }
    response.json({ groupId, ...(await context.own.pull(groupId, operator.identity)) });
  });
  router.post('/:partner/push', json, async (request, response) => {
    const { name } = partnerOf(context, request);
    response.status(202).json(await context.own.push(name, bodyGroupId(request), operator.identity));
  });
  return router;
}

/** Routes below `/deliveries`. */
export function deliveryRoutes(context: ManagementContext): Router {
  const router = Router({ strict: true });
  router.get('/', async (request, response) => {
    const partner = queryValue(request, 'partner');
    const wanted = queryValue(request, 'state');
    const state = states.find((one) => one === wanted);
    if (wanted !== undefined && state === undefined) {
      throw new Refusal('bad-request', { phrase: `The state must be one of ${states.join(', ')}` });
    }
    const filter = { ...(partner === undefined ? {} : { partner }), ...(state === undefined ? {} : { state }) };
    response.json({ deliveries: await context.store.deliveries(filter) });
  });
  router.post('/:partner/:groupId/retry', async (request, response) => {
    const delivery = await deliveryOf(context, request);
    await context.own.retryDelivery(delivery.partner, delivery.groupId, operator.identity);
    response.json({ partner: delivery.partner, groupId: delivery.groupId, retried: true });
  });
  router.delete('/:partner/:groupId', async (request, response) => {
    const delivery = await deliveryOf(context, request);
    await context.own.dropDelivery(delivery.partner, delivery.groupId, operator.identity);
    response.json({ partner: delivery.partner, groupId: delivery.groupId, dropped: true });
  });
  return router;
}

async function listPartners({ partners, store, now }: ManagementContext): Promise<readonly ListedPartner[]> {
  return Promise.all(
    partners().map(async (partner): Promise<ListedPartner> => {
      const [sources, deliveries] = await Promise.all([
        store.sources(partner.name),
        store.deliveries({ partner: partner.name }),
      ]);
      const inState = (state: DeliveryRecord['state']): number =>
        deliveries.filter((delivery) => delivery.state === state).length;
      return {
        name: partner.name,
        domains: partner.domains,
        gms: partner.gms,
        xcapRoots: partner.xcapRoots,
        state: partner.agreement.state,
        active: inactivity(partner.agreement, now()) === undefined,
        groupsHeld: sources.length,
        groupsStale: sources.filter(({ staleSince }) => staleSince !== undefined).length,
        deliveries: { queued: inState('queued'), parked: inState('parked'), delivered: inState('delivered') },
      };
    }),
  );
}

function partnerOf({ partners }: ManagementContext, request: Request): PartnerConfiguration {
  const name = pathValue(request, 'partner');
  const partner = partners().find((one) => one.name === name);
  if (partner === undefined) throw new Refusal('partner-unknown');
  return partner;
}

// A delivery may belong to a partner that is configured no more: it can still be dropped.
async function deliveryOf({ store }: ManagementContext, request: Request): Promise<DeliveryRecord> {
  const delivery = await store.delivery(pathValue(request, 'partner'), groupIdOf(request));
  if (delivery === undefined) throw new Refusal('not-found', { phrase: 'No such delivery' });
  return delivery;
}
