// The scenarios and the files that they are written to.
import { type Scenario, scenarioXml } from './scenario.ts';
import { dialogScenarios } from './scenarios-of-dialogs.ts';
import { refusalScenarios } from './scenarios-of-refusals.ts';
import { subscriberScenarios } from './scenarios-of-subscribers.ts';
import { subscriptionScenarios } from './scenarios-of-subscriptions.ts';
import { termScenarios } from './scenarios-of-terms.ts';
import { transactionScenarios } from './scenarios-of-transactions.ts';

/** All scenarios, each name once. */
export const scenarios: readonly Scenario[] = [
  ...subscriptionScenarios,
  ...termScenarios,
  ...dialogScenarios,
  ...transactionScenarios,
  ...refusalScenarios,
  ...subscriberScenarios,
];

const table = /(\| file \|[^\n]*\n\|[-|]+\|\n)(?:\|[^\n]*\n)*/;

/** Names and texts of all files that are written: a scenario each, and the README with its table. */
export async function files(readme: Promise<string>): Promise<ReadonlyMap<string, string>> {
  const rows = scenarios.map(({ name, clause, proves, keys = [], starts, transport, sockets, part }) => {
    const needs = [
      ...keys.map((key) => `\`${key}\``),
      ...(starts === undefined ? [] : ['no document yet']),
      ...(part === undefined ? [] : ['`-p PORT` instead of an address']),
      ...(sockets === undefined ? [] : ['`-t tn`']),
      ...(transport === undefined ? [] : [`only ${transport.toUpperCase()}`]),
    ];
    return `| \`${name}.xml\` | ${proves} (${clause}) | ${needs.join(', ')} |\n`;
  });
  const text = (await readme).replace(table, (_, head: string) => `${head}${rows.join('')}`);
  return new Map([
    ...scenarios.map((scenario) => [`${scenario.name}.xml`, scenarioXml(scenario)] as const),
    ['README.md', text] as const,
  ]);
}
