// `mcgw policy try`: what a policy makes of a group document, and which rule changed what.
import { readFile, writeFile } from 'node:fs/promises';
import { type ApplicationUsage, builtInUsages, groupsAuid } from '../../documents/application-usage.ts';
import { DocumentJudge } from '../../documents/judge.ts';
import { servedUsers } from '../../identity/served.ts';
import { explain } from '../../policy/explain.ts';
import type { Policy, PolicyContext } from '../../policy/policy.ts';
import { loadPolicy, PolicyFileError } from '../../policy/policy-file.ts';
import { Refusal } from '../../refusals.ts';
import { defaultXmlLimits } from '../../xml/limits.ts';
import { SchemaLibrary } from '../../xml/schema.ts';
import { exitCodes, type Terminal, unreadable } from './terminal.ts';

export interface PolicyTryOptions {
  readonly partner: string;
  readonly outbound: boolean;
  /** Domains whose users are served here. */
  readonly servedDomain?: readonly string[];
  /** Users of other systems who are served here. */
  readonly servedUser?: readonly string[];
  /** File that the derived document is written to instead of standard output. */
  readonly output?: string;
  readonly json: boolean;
}

/**
 * Prints the derived document on standard output, or writes it to a file, and the explained changes on standard error; or both as one
 * JSON object on standard output. 1 when the document or the policy refuses, 2 when a file cannot be used.
 */
export async function policyTry(
  policyFile: string,
  groupFile: string,
  options: PolicyTryOptions,
  terminal: Terminal,
): Promise<number> {
  let policy: Policy;
  let document: Uint8Array;
  try {
    policy = await loadPolicy(policyFile);
  } catch (error) {
    if (!(error instanceof PolicyFileError)) throw error;
    terminal.err(error.message);
    return exitCodes.wrongUsage;
  }
  try {
    document = await readFile(groupFile);
  } catch (error) {
    terminal.err(unreadable(groupFile, error));
    return exitCodes.wrongUsage;
  }
  if (asksWhoIsServed(policy) && options.servedDomain === undefined && options.servedUser === undefined)
    terminal.err('nobody counts as served: --served-domain and --served-user say who does');
  const schemas = await SchemaLibrary.load({ threads: 1 });
  try {
    return await tryOn(policy, document, options, schemas, terminal);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    terminal.err(`${error.code}: ${error.phrase}`);
    return exitCodes.failed;
  } finally {
    policy.close();
    await schemas.close();
  }
}

async function tryOn(
  policy: Policy,
  document: Uint8Array,
  { partner, outbound, servedDomain = [], servedUser = [], output, json }: PolicyTryOptions,
  schemas: SchemaLibrary,
  terminal: Terminal,
): Promise<number> {
  const judge = new DocumentJudge(schemas, defaultXmlLimits);
  const { groupIds } = await judge.judge(groupsUsage(), document);
  const [groupId] = groupIds;
  if (groupId === undefined || groupIds.length > 1) {
    throw new Refusal('constraint-failure', { phrase: 'The document must have exactly one list-service' });
  }
  const own = { domains: [...servedDomain], servedUsers: [...servedUser], awayUsers: [] };
  const context: PolicyContext = {
    isServed: servedUsers(own).isServed,
    users: { own, either: { domains: own.domains, users: own.servedUsers } },
    partner,
    direction: outbound ? 'outbound' : 'inbound',
    groupId,
  };
  const derivation = await policy.apply(document, context, async (derived) => {
    await judge.judgeGroup(groupsUsage(), groupId, derived);
  });
  const derived = Buffer.from(derivation.bytes).toString();
  if (output !== undefined) {
    try {
      await writeFile(output, derivation.bytes);
    } catch (error) {
      terminal.err(
        `${output}: cannot be written (${(error as NodeJS.ErrnoException).code ?? (error as Error).message})`,
      );
      return exitCodes.wrongUsage;
    }
  }
  if (json) {
    terminal.out(JSON.stringify({ groupId, applied: derivation.applied, document: derived }, null, 2));
  } else {
    if (output === undefined) terminal.out(derived.replace(/\n$/, ''));
    terminal.err(explain(derivation, Buffer.from(document).toString()).trimEnd());
  }
  return exitCodes.done;
}

function groupsUsage(): ApplicationUsage {
  const usage = builtInUsages.find(({ auid }) => auid === groupsAuid);
  if (usage === undefined) throw new Error(`the application usage ${groupsAuid} is not built in`);
  return usage;
}

function asksWhoIsServed({ source }: Policy): boolean {
  return [source?.text, ...Object.values(source?.files ?? {})].some((text) => /\bserved["']?\s*:/.test(text ?? ''));
}
