// `mcgw partner reconcile`: compares both sides of the border with a partner, tells progress and what is not equal.
import { setTimeout } from 'node:timers/promises';
import type { Reconciliation } from '../../interconnect/ports.ts';
import type { ManagementClient } from './management-client.ts';
import { columns, exitCodes, type Terminal } from './terminal.ts';

export interface ReconcileOptions {
  readonly json: boolean;
  /** Over group IDs. */
  readonly pattern: string;
  readonly repair: boolean;
}

/** Milliseconds between two questions for progress, and between two lines about it. */
const pollInterval = 100;
const tellInterval = 1000;

/** Compares, or joins the comparison that runs; 0 when both sides are equal or everything that is not was repaired. */
export async function partnerReconcile(
  client: ManagementClient,
  partner: string,
  { json, pattern, repair }: ReconcileOptions,
  terminal: Terminal,
): Promise<number> {
  const path = `partners/${encodeURIComponent(partner)}/reconcile`;
  const body = JSON.stringify({ groups: pattern, repair });
  const begun = await client.send({ method: 'POST', path, contentType: 'application/json', body });
  let run = JSON.parse(begun.body) as Reconciliation;
  if (run.pattern !== pattern || run.repair !== repair)
    terminal.err(`joins the comparison that runs: ${run.pattern}${run.repair ? ' with' : ' without'} repair`);
  let told = Date.now();
  while (run.finished === undefined) {
    await setTimeout(pollInterval);
    run = (await client.json(path)) as Reconciliation;
    if (Date.now() - told < tellInterval) continue;
    told = Date.now();
    terminal.err(summary(run));
  }
  if (json) terminal.out(JSON.stringify(run, null, 2));
  else tell(run, terminal);
  const open = run.total - run.equal - run.repaired;
  return open === 0 ? exitCodes.done : exitCodes.failed;
}

function tell(run: Reconciliation, terminal: Terminal): void {
  if (run.findings.length > 0) {
    const rows = run.findings.map((one) => [one.groupId, one.home, one.state, one.detail, one.repair]);
    terminal.out(columns(['GROUP', 'HOME', 'STATE', 'DETAIL', 'REPAIR'], rows));
  }
  if (run.findingsLeftOut > 0) terminal.out(`and ${run.findingsLeftOut} more`);
  terminal.out(summary(run));
  if (run.directory !== undefined) terminal.out(`directory of the partner: ${run.directory}`);
}

function summary(run: Reconciliation): string {
  const { total, equal, differs, missingHere, missingThere, unknown, repaired, repair } = run;
  const compared = equal + differs + missingHere + missingThere + unknown;
  const counts = `${equal} equal, ${differs} differ, ${missingHere} missing here, ${missingThere} missing there, ${unknown} unknown`;
  return `${compared} of ${total} compared: ${counts}${repair ? `; ${repaired} repaired` : ''}`;
}
