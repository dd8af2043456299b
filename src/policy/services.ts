// The services rule: takes MC services out of a group, with everything that belongs to them.
// The agreement's own restriction of services acts through the same plan, as an allow-list.
import type { McService } from '../config/schema.ts';
import { Refusal } from '../refusals.ts';
import { serviceOfEnabler } from '../xml/group-document.ts';
import { namespaces } from '../xml/names.ts';
import type { ElementId, OffsetIndex } from '../xml/offset-index.ts';
import { type ElementPaths, type PolicyEdit, removal } from './edits.ts';
import { authorisationRules, isEntry, listItems, listServices, serviceElements } from './group-parts.ts';
import { type ElementPlace, mcServices, serviceOfElement } from './service-elements.ts';

/** Plans the removal of the dropped services. Throws Refusal `constraint-failure` when no service would be left. */
export function planDrop(index: OffsetIndex, paths: ElementPaths, drop: readonly McService[]): readonly PolicyEdit[] {
  return planServices(index, paths, (service) => service === undefined || !drop.includes(service));
}

/** Plans the removal of every service that is not allowed; services that are no MC service are not either. Throws as planDrop. */
export function planAllow(
  index: OffsetIndex,
  paths: ElementPaths,
  allowed: readonly McService[],
): readonly PolicyEdit[] {
  return planServices(index, paths, (service) => service !== undefined && allowed.includes(service));
}

function planServices(
  index: OffsetIndex,
  paths: ElementPaths,
  stays: (service: McService | undefined) => boolean,
): readonly PolicyEdit[] {
  const dropped = new Set(mcServices.filter((service) => !stays(service)));
  return listServices(index).flatMap((listService) => {
    refuseExceptionList(index, listService);
    const elements = serviceElements(index, listService);
    const leaving = elements.filter((one) => !stays(serviceOfEnabler(index.attribute(one, 'enabler') ?? '')));
    if (leaving.length > 0 && leaving.length === elements.length) {
      throw new Refusal('constraint-failure', { phrase: 'No service of the group would be left' });
    }
    const belonging = [
      ...ofServices(index, listService, 'list-service', dropped),
      ...listItems(index, listService)
        .filter((item) => isEntry(index, item))
        .flatMap((entry) => ofServices(index, entry, 'entry', dropped)),
      ...authorisationRules(index, listService).flatMap((rule) =>
        index
          .childrenNamed(rule, namespaces.commonPolicy, 'actions')
          .flatMap((actions) => ofServices(index, actions, 'actions', dropped)),
      ),
    ];
    return [...leaving, ...belonging].map((element) => removal(index, paths, element));
  });
}

/** Children that belong to dropped services, also those that a later release put into `anyExt`. */
function ofServices(
  index: OffsetIndex,
  parent: ElementId,
  place: ElementPlace,
  dropped: ReadonlySet<McService>,
): readonly ElementId[] {
  return index.children(parent).flatMap((child) => {
    if (index.namespace(child) !== namespaces.mcpttGroupInfo) return [];
    const name = index.localName(child);
    if (name === 'anyExt') return ofServices(index, child, place, dropped);
    const service = serviceOfElement(place, name);
    return service !== undefined && dropped.has(service) ? [child] : [];
  });
}

// "All services but these" names no service that could be taken out.
function refuseExceptionList(index: OffsetIndex, listService: ElementId): void {
  const exceptions = index
    .childrenNamed(listService, namespaces.omaExtensions, 'supported-services')
    .some((supported) => index.firstNamed(supported, namespaces.omaExtensions, 'all-services-except') !== undefined);
  if (exceptions) {
    throw new Refusal('constraint-failure', {
      phrase: 'all-services-except does not tell which services the group has',
    });
  }
}
