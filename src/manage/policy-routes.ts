// Policy versions in the management API: which are in force, what another would do, bringing one into force, and back.
import { setImmediate } from 'node:timers/promises';
import { type Request, Router } from 'express';
import { unknownPartner } from '../interconnect/partners.ts';
import type { PreviewedGroup } from '../interconnect/policy-preview.ts';
import type { PolicyScope } from '../interconnect/policy-versions.ts';
import type { Policy, PolicySource } from '../policy/policy.ts';
import { loadPolicy, PolicyFileError, policyFromSource } from '../policy/policy-file.ts';
import { Refusal } from '../refusals.ts';
import { sendJsonLines } from './json-lines.ts';
import type { ManagementContext } from './management-context.ts';
import { operatorOf } from './operators.ts';
import { otherMethods } from './problem-answer.ts';

/** Routes below `/policies`. */
export function policyRoutes(context: ManagementContext): Router {
  const router = Router({ strict: true, caseSensitive: true });
  const { policies } = context;
  router.get('/', async (_request, response) => {
    response.json({ policies: await policies.list() });
  });
  router.post('/plan', async (request, response) => {
    const planned = await policiesOf(context, request);
    try {
      const scopes = planned.map(({ policy, scope }) => ({ policy, groups: policies.plan(policy, scope) }));
      // What cannot be planned at all is refused before anything is answered.
      const begun = await Promise.all(scopes.map(async (one) => ({ ...one, first: await one.groups.next() })));
      await sendJsonLines(response, planLines(begun));
    } finally {
      for (const { policy } of planned) policy.close();
    }
  });
  router.post('/activate', async (request, response) => {
    const activated = [];
    for (const { policy, scope } of await policiesOf(context, request)) {
      activated.push(...(await policies.activate(policy, scope, operatorOf(response).identity)));
    }
    response.status(202).json({ policies: activated });
  });
  router.post('/rollback', async (request, response) => {
    const { partner, direction } = scopeOf(request);
    if (partner === undefined) throw new Refusal('bad-request', { phrase: 'The body must name a partner' });
    response
      .status(202)
      .json({ policies: await policies.rollback({ partner, direction }, operatorOf(response).identity) });
  });
  router.all('/', otherMethods('GET', 'HEAD'));
  router.all(['/plan', '/activate', '/rollback'], otherMethods('POST'));
  return router;
}

interface Planned {
  readonly policy: Policy;
  readonly scope: PolicyScope;
}

/** The policies that a request is about: one that it carries, or those of a partner as its files are now. */
async function policiesOf(context: ManagementContext, request: Request): Promise<readonly Planned[]> {
  const scope = scopeOf(request);
  const source = sourceOf(request);
  if (source !== undefined) return [{ policy: await compiled(() => policyFromSource(source)), scope }];
  const configuration = context.partners().find(({ name }) => name === scope.partner);
  if (scope.partner === undefined)
    throw new Refusal('bad-request', { phrase: 'The body must have a source or name a partner' });
  if (configuration === undefined) throw unknownPartner(scope.partner, context.partners());
  const files = { inbound: configuration.inboundPolicy, outbound: configuration.outboundPolicy };
  const planned: Planned[] = [];
  for (const direction of ['inbound', 'outbound'] as const) {
    const file = files[direction];
    if (file === undefined || (scope.direction !== undefined && scope.direction !== direction)) continue;
    planned.push({ policy: await compiled(() => loadPolicy(file)), scope: { partner: scope.partner, direction } });
  }
  if (planned.length > 0) return planned;
  throw new Refusal('not-found', { phrase: 'No policy file is configured for this partner' });
}

async function compiled(compile: () => Promise<Policy>): Promise<Policy> {
  try {
    return await compile();
  } catch (error) {
    if (!(error instanceof PolicyFileError)) throw error;
    throw new Refusal('bad-request', { phrase: error.message });
  }
}

function scopeOf(request: Request): PolicyScope {
  const { partner, direction } = record(request.body);
  if (partner !== undefined && typeof partner !== 'string') throw wrongBody();
  if (direction !== undefined && direction !== 'inbound' && direction !== 'outbound') throw wrongBody();
  return { partner, direction };
}

function sourceOf(request: Request): PolicySource | undefined {
  const { source } = record(request.body);
  if (source === undefined) return undefined;
  const { file, text, files = {} } = record(source);
  const texts = Object.entries(record(files));
  if (typeof file !== 'string' || typeof text !== 'string') throw wrongBody();
  if (!texts.every((entry): entry is [string, string] => typeof entry[1] === 'string')) throw wrongBody();
  return { file, text, files: Object.fromEntries(texts) };
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

function wrongBody(): Refusal {
  return new Refusal('bad-request', {
    phrase: 'The body must be JSON with source, partner or direction as documented',
  });
}

type Begun = {
  readonly policy: Policy;
  readonly first: IteratorResult<PreviewedGroup>;
  readonly groups: AsyncGenerator<PreviewedGroup>;
};

/** Groups that change or would be refused, each on a line; at the end the sums. */
async function* planLines(begun: readonly Begun[]): AsyncGenerator<unknown> {
  for (const { policy, first, groups } of begun) {
    const sums = { total: 0, changed: 0, unchanged: 0, refused: 0 };
    const rules = new Map<string, { groups: number; changes: number }>();
    for (let next = first; next.done !== true; next = await groups.next()) {
      const group = next.value;
      sums.total += 1;
      sums[group.outcome] += 1;
      for (const { rule, changes } of group.rules) {
        const known = rules.get(rule) ?? { groups: 0, changes: 0 };
        rules.set(rule, { groups: known.groups + 1, changes: known.changes + changes });
      }
      if (group.outcome !== 'unchanged') yield { group };
      else if (sums.total % 500 === 0) yield { progress: sums.total };
      await setImmediate();
    }
    const summary = { policy: policy.name, version: policy.version, ...sums };
    yield { summary: { ...summary, rules: [...rules].map(([rule, counts]) => ({ rule, ...counts })) } };
  }
}
