// `mcgw policy list|plan|activate|rollback`: versions of the partners' policies at a running gateway.
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import type { PreviewedGroup } from '../../interconnect/policy-preview.ts';
import type { PolicyInForce } from '../../interconnect/policy-versions.ts';
import { loadPolicy, PolicyFileError } from '../../policy/policy-file.ts';
import type { ManagementClient } from './management-client.ts';
import { columns, counted, exitCodes, type Terminal } from './terminal.ts';

export interface PolicyChoice {
  readonly partner?: string | undefined;
  readonly direction?: string | undefined;
  readonly json: boolean;
}

/** Shows which policy is in force for each partner and direction. */
export async function policyList(
  client: ManagementClient,
  { json }: { readonly json: boolean },
  terminal: Terminal,
): Promise<number> {
  const { policies } = (await client.json('policies')) as Policies;
  if (json) terminal.out(JSON.stringify(policies, null, 2));
  else terminal.out(table(policies));
  return exitCodes.done;
}

interface Policies {
  readonly policies: readonly PolicyInForce[];
}

function table(policies: readonly PolicyInForce[]): string {
  const rows = policies.map(({ partner, direction, active, earlier, differsFromFile, inLine }) => [
    partner,
    direction,
    `${active.policy} v${active.version}`,
    active.at,
    active.how,
    differsFromFile ? 'differs from the file' : undefined,
    inLine ? 'all groups' : 'under way',
    earlier[0] === undefined ? undefined : `${earlier[0].policy} v${earlier[0].version}`,
  ]);
  return columns(['PARTNER', 'DIRECTION', 'POLICY', 'SINCE', 'HOW', 'FILE', 'APPLIED TO', 'BEFORE'], rows);
}

interface Summary {
  readonly policy: string;
  readonly version: number;
  readonly total: number;
  readonly changed: number;
  readonly unchanged: number;
  readonly refused: number;
  readonly rules: readonly { readonly rule: string; readonly groups: number; readonly changes: number }[];
}

type PlanLine = { readonly group?: PreviewedGroup; readonly progress?: number; readonly summary?: Summary };

/** Shows what a policy file, or the files of a partner as they are now, would do to all groups. Nothing is changed. */
export async function policyPlan(
  client: ManagementClient,
  what: string,
  choice: PolicyChoice,
  terminal: Terminal,
): Promise<number> {
  const body = await bodyOf(what, choice, terminal);
  if (body === undefined) return exitCodes.wrongUsage;
  const answer = await client.stream('policies/plan', { method: 'POST', body, contentType: 'application/json' });
  for await (const line of createInterface({ input: answer, crlfDelay: Number.POSITIVE_INFINITY })) {
    if (line === '') continue;
    if (choice.json) terminal.out(line);
    else show(JSON.parse(line) as PlanLine, terminal);
  }
  return exitCodes.done;
}

function show({ group, progress, summary }: PlanLine, terminal: Terminal): void {
  if (progress !== undefined) terminal.err(`${counted(progress, 'group')} looked at`);
  if (group !== undefined) {
    const { outcome, groupId, direction, partner, rules, code, cause, conflicts } = group;
    const by = rules.map(({ rule, changes }) => `${rule} (${changes})`).join(', ');
    const edits = conflicts === undefined ? '' : `; ${counted(conflicts, 'local edit')} would not apply`;
    const why = outcome === 'refused' ? `${code}: ${cause}` : `by ${by === '' ? 'no rule any more' : by}${edits}`;
    terminal.out(`${outcome} ${groupId} (${partner}, ${direction}): ${why}`);
  }
  if (summary === undefined) return;
  const { policy, version, total, changed, unchanged, refused, rules } = summary;
  terminal.out(
    `policy ${policy} v${version}: ${counted(total, 'group')}: ${changed} change, ${unchanged} stay, ${refused} refused`,
  );
  for (const one of rules)
    terminal.out(`  rule "${one.rule}": ${counted(one.groups, 'group')}, ${counted(one.changes, 'change')}`);
}

/** Brings a policy file, or the files of a partner as they are now, into force; waits until all groups are derived. */
export async function policyActivate(
  client: ManagementClient,
  what: string,
  choice: PolicyChoice & { readonly wait: boolean },
  terminal: Terminal,
): Promise<number> {
  const body = await bodyOf(what, choice, terminal);
  if (body === undefined) return exitCodes.wrongUsage;
  return change(client, 'activate', body, choice, terminal);
}

/** Brings the version before into force again; waits until all groups are derived. */
export async function policyRollback(
  client: ManagementClient,
  partner: string,
  choice: PolicyChoice & { readonly wait: boolean },
  terminal: Terminal,
): Promise<number> {
  return change(client, 'rollback', JSON.stringify({ partner, direction: choice.direction }), choice, terminal);
}

async function change(
  client: ManagementClient,
  action: 'activate' | 'rollback',
  body: string,
  { json, wait }: { readonly json: boolean; readonly wait: boolean },
  terminal: Terminal,
): Promise<number> {
  const path = `policies/${action}`;
  const answer = await client.send({ method: 'POST', path, body, contentType: 'application/json' });
  let { policies } = JSON.parse(answer.body) as Policies;
  const wanted = policies;
  if (!json) {
    for (const { partner, direction, active } of wanted) {
      terminal.out(`${active.policy} v${active.version} is in force for ${partner}, ${direction}`);
    }
    if (action === 'activate' && wanted.some(isNumberTakenTwice))
      terminal.err('another text was in force under the same version: give each change a version of its own');
  }
  let told = '';
  while (wait && policies.some(({ inLine }) => !inLine)) {
    await pause(200);
    const all = ((await client.json('policies')) as Policies).policies;
    policies = wanted.flatMap((one) => all.filter((now) => isSame(one, now)));
    const progress = policies.map(progressText).join('; ');
    // The last state is told as the result.
    if (progress !== told && !json && policies.some(({ inLine }) => !inLine)) terminal.err(progress);
    told = progress;
  }
  if (json) terminal.out(JSON.stringify(policies, null, 2));
  else if (wait) terminal.out(policies.map(progressText).join('\n'));
  return exitCodes.done;
}

// Listings and provenance name versions, so two texts under one number cannot be told apart there.
function isNumberTakenTwice({ active, earlier: [before] }: PolicyInForce): boolean {
  if (before === undefined || before.digest === active.digest) return false;
  return before.policy === active.policy && before.version === active.version;
}

// Another change meanwhile ends the waiting: what was asked for is not in force any more.
function isSame(one: PolicyInForce, now: PolicyInForce): boolean {
  const same = one.partner === now.partner && one.direction === now.direction;
  return same && one.active.digest === now.active.digest && one.active.at === now.active.at;
}

function progressText({ partner, direction, derivation, inLine }: PolicyInForce): string {
  if (direction === 'outbound') return `${partner}, outbound: ${inLine ? 'all deliveries are queued' : 'being queued'}`;
  if (derivation === undefined) return `${partner}, inbound: ${inLine ? 'nothing to derive' : 'about to be derived'}`;
  const { changed, refused, total, unchanged } = derivation;
  const done = changed + unchanged + refused;
  return `${partner}, inbound: ${done} of ${counted(total, 'group')}, ${changed} changed, ${refused} refused`;
}

async function bodyOf(
  what: string,
  { partner, direction }: PolicyChoice,
  terminal: Terminal,
): Promise<string | undefined> {
  if (!existsSync(what)) {
    if (!/[./\\]ya?ml$|\//.test(what)) return JSON.stringify({ partner: what, direction });
    terminal.err(`${what}: does not exist`);
    return undefined;
  }
  try {
    const { source } = await loadPolicy(resolve(what));
    return JSON.stringify({ source, partner, direction });
  } catch (error) {
    if (!(error instanceof PolicyFileError)) throw error;
    terminal.err(error.message);
    return undefined;
  }
}
