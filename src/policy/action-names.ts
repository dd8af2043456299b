// Names of actions of authorisation rules as a policy file writes them, and the namespaces that they are in.
import { namespaces } from '../xml/names.ts';
import { xpathPrefixes } from '../xml/xpath.ts';

/** Actions in the namespace of list-service; all others that 3GPP has defined are in that of MCPTT group information. */
const ofListService: ReadonlySet<string> = new Set(['allow-initiate-conference', 'join-handling']);

/** An action element. */
export interface ActionName {
  readonly namespace: string;
  readonly localName: string;
}

/** The action that a name means: with a prefix of selections in its namespace, without one where 3GPP has it. */
export function actionOf(written: string): ActionName {
  const colon = written.indexOf(':');
  const localName = written.slice(colon + 1);
  const named = colon < 0 ? undefined : xpathPrefixes[written.slice(0, colon)];
  const usual = ofListService.has(localName) ? namespaces.listService : namespaces.mcpttGroupInfo;
  return { namespace: named ?? usual, localName };
}

/** True when both names mean the same action. */
export function isSameAction(one: string, other: string): boolean {
  const [first, second] = [actionOf(one), actionOf(other)];
  return first.namespace === second.namespace && first.localName === second.localName;
}
