// The provenance of all foreign groups, as an export line by line.
import { Router } from 'express';
import { sendJsonLines } from './json-lines.ts';
import type { Provenance } from './listings.ts';
import type { ManagementContext } from './management-context.ts';
import { otherMethods } from './problem-answer.ts';
import { provenanceOf } from './provenance.ts';
import { checkPartnerName } from './removed-partners.ts';
import { queryValue } from './request-values.ts';

/** Routes below `/provenance`. */
export function provenanceRoutes(context: ManagementContext): Router {
  const router = Router({ strict: true, caseSensitive: true });
  router.get('/', async (request, response) => {
    const partner = queryValue(request, 'partner');
    if (partner !== undefined) await checkPartnerName(context.store, context.partners(), partner);
    await sendJsonLines(response, all(context, partner));
  });
  router.all('/', otherMethods('GET', 'HEAD'));
  return router;
}

async function* all(context: ManagementContext, partner: string | undefined): AsyncGenerator<Provenance> {
  for (const { groupId } of await context.store.sourceStates(partner)) {
    const provenance = await provenanceOf(context, groupId);
    if (provenance !== undefined) yield provenance;
  }
}
