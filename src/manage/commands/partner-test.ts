// `mcgw partner test`: tries everything against the live partner, says what works, and what to do about what does not.
import type { PartnerTest } from '../../interconnect/ports.ts';
import type { ListOptions } from './group.ts';
import type { ManagementClient } from './management-client.ts';
import { exitCodes, type Terminal } from './terminal.ts';

/** 0 when nothing fails. */
export async function partnerTest(
  client: ManagementClient,
  partner: string,
  { json }: ListOptions,
  terminal: Terminal,
): Promise<number> {
  const answer = await client.send({ method: 'POST', path: `partners/${encodeURIComponent(partner)}/test` });
  const test = JSON.parse(answer.body) as PartnerTest;
  if (json) terminal.out(JSON.stringify(test, null, 2));
  else {
    for (const { step, result, detail, advice } of test.steps) {
      terminal.out(`${step.padEnd(10)} ${result.padEnd(8)} ${detail ?? ''}`.trimEnd());
      if (advice !== undefined) terminal.out(`${' '.repeat(20)}${advice}`);
    }
    const failed = test.steps.filter(({ result }) => result === 'fails').length;
    terminal.out(test.passed ? `${partner} works` : `${partner}: ${failed} of ${test.steps.length} steps fail`);
  }
  return test.passed ? exitCodes.done : exitCodes.failed;
}
