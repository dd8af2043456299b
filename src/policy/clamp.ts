// The clamp rule: holds group priorities inside a range. Higher is more urgent (TS 24.481 clause 7.2.4.2, 0 to 255).
// `max` ignores absent values, which mean lowest; `min` inserts them for services that the group has.
import { Refusal } from '../refusals.ts';
import { namespaces } from '../xml/names.ts';
import type { ElementId, OffsetIndex } from '../xml/offset-index.ts';
import { type ElementPaths, elementReplacement, insertion, type PolicyEdit, prefixFor } from './edits.ts';
import { listServices, supportedServices } from './group-parts.ts';
import type { ClampFile } from './policy-schema.ts';
import { priorityElements } from './service-elements.ts';

/** Plans the edits of a clamp rule. Throws Refusal `constraint-failure` for a priority that is no number. */
export function planClamp(index: OffsetIndex, paths: ElementPaths, clamp: ClampFile): readonly PolicyEdit[] {
  return listServices(index).flatMap((listService) => {
    const supported = supportedServices(index, listService);
    const edits: PolicyEdit[] = [];
    const missing: string[] = [];
    for (const service of new Set(clamp.priority)) {
      const name = priorityElements[service];
      // Direct children only: a regroup marker carries a priority of its own, which binds both systems.
      const present = prioritiesIn(index, listService, name);
      edits.push(...present.flatMap((element) => clamped(index, paths, element, clamp)));
      if (present.length === 0 && clamp.min !== undefined && supported.has(service)) missing.push(name);
    }
    // As the last children: everything behind the first four children of a list-service may stand in any order.
    const { prefix, declaration } = prefixFor(index, listService, namespaces.mcpttGroupInfo);
    const added = missing.map((name) => `<${prefix}${name}${declaration}>${clamp.min}</${prefix}${name}>`);
    return [...edits, ...added.map((markup) => insertion(index, paths, listService, markup))];
  });
}

/** Elements of this name among the children, also those that a release put into `anyExt`. */
function prioritiesIn(index: OffsetIndex, parent: ElementId, name: string): readonly ElementId[] {
  return [
    ...index.childrenNamed(parent, namespaces.mcpttGroupInfo, name),
    ...index
      .childrenNamed(parent, namespaces.mcpttGroupInfo, 'anyExt')
      .flatMap((extension) => prioritiesIn(index, extension, name)),
  ];
}

function clamped(index: OffsetIndex, paths: ElementPaths, element: ElementId, clamp: ClampFile): readonly PolicyEdit[] {
  const written = index.text(element).trim();
  if (!/^\+?\d{1,9}$/.test(written)) {
    throw new Refusal('constraint-failure', { phrase: `${index.localName(element)} is no priority` });
  }
  const value = Number(written);
  const wanted = Math.min(Math.max(value, clamp.min ?? value), clamp.max ?? Infinity);
  if (wanted === value) return [];
  return [elementReplacement(index, paths, element, String(wanted))];
}
