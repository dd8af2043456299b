// Elements, attributes and namespace bindings of documents, RFC 4825 clauses 7.3 to 7.10: the one place where both faces hand over
// requests whose URI has a node selector.
import { Refusal } from '../refusals.ts';
import type { Answer } from './answer.ts';
import type { Exchange } from './http-listener.ts';
import type { NodeReference, XcapResource } from './resource.ts';

/**
 * Answers a request for a node of `resource`. RFC 4825 clause 6.3 lets a server understand none of the selectors it is offered:
 * `selector-not-understood`, 404.
 */
export async function answerNode(_exchange: Exchange, _resource: XcapResource, _node: NodeReference): Promise<Answer> {
  throw new Refusal('selector-not-understood');
}
