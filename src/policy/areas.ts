// The areas rule: keeps the areas of a group inside a border, or takes areas out. A geometry that cannot be judged refuses the group.
import { Refusal } from '../refusals.ts';
import type { ElementId, OffsetIndex } from '../xml/offset-index.ts';
import { type AreaGeometry, areaGeometries, usualAreaElements } from './area-elements.ts';
import { type ElementPaths, type PolicyEdit, removal } from './edits.ts';
import { endToEndAround, endToEndWithin, isRegroupMarker } from './end-to-end.ts';
import { isWithin, type Polygon, touches } from './geometry.ts';
import { listServices } from './group-parts.ts';
import { refuseEndToEnd } from './selection.ts';

/** An areas rule with its files read. */
export interface AreaRule {
  readonly keepWithin?: readonly Polygon[] | undefined;
  /** `all`, or polygons: areas that touch them go. */
  readonly drop?: 'all' | readonly Polygon[] | undefined;
  /** Elements that go whatever they hold. */
  readonly dropElements: readonly string[];
  readonly elements?: readonly string[] | undefined;
  readonly ifNoneLeft: 'accept' | 'refuse';
}

/**
 * Plans the edits of an areas rule. Throws Refusal `constraint-failure` for a geometry that it cannot judge, and without `endToEnd` for an
 * area that holds what binds both systems.
 */
export function planAreas(
  index: OffsetIndex,
  paths: ElementPaths,
  rule: AreaRule,
  endToEnd: boolean,
): readonly PolicyEdit[] {
  const names = new Set([...(rule.elements ?? usualAreaElements), ...rule.dropElements]);
  return listServices(index).flatMap((listService) => {
    const areas = outermost(index, listService, names, endToEnd);
    const leaving = areas.flatMap((area) => leavingOf(index, area, rule));
    if (rule.ifNoneLeft === 'refuse' && areas.length > 0 && areas.every((area) => leaving.includes(area))) {
      throw new Refusal('constraint-failure', { phrase: 'No area of the group would be left' });
    }
    if (!endToEnd) {
      for (const area of leaving) refuseEndToEnd(endToEndAround(index, area) ?? endToEndWithin(index, area));
    }
    return leaving.map((element) => removal(index, paths, element));
  });
}

/** What goes of one area element: the element itself when none of its geometries stays. */
function leavingOf(index: OffsetIndex, area: ElementId, rule: AreaRule): readonly ElementId[] {
  const { keepWithin, drop } = rule;
  if (drop === 'all' || rule.dropElements.includes(index.localName(area))) return [area];
  if (keepWithin === undefined && drop === undefined) return [];
  const geometries = judged(index, area);
  const stays = ({ ring }: AreaGeometry): boolean =>
    (keepWithin === undefined || isWithin(ring, keepWithin)) && (drop === undefined || !touches(ring, drop));
  const leaving = geometries.filter((geometry) => !stays(geometry)).map(({ element }) => element);
  return leaving.length === geometries.length ? [area] : leaving;
}

function judged(index: OffsetIndex, area: ElementId): readonly AreaGeometry[] {
  try {
    return areaGeometries(index, area);
  } catch (error) {
    if (!(error instanceof Error) || error instanceof Refusal) throw error;
    throw new Refusal('constraint-failure', { phrase: `an area cannot be judged: ${error.message}` });
  }
}

/** Elements with one of the names that stand in no other such element, and in no regroup marker unless these are asked for. */
function outermost(
  index: OffsetIndex,
  listService: ElementId,
  names: ReadonlySet<string>,
  withMarkers: boolean,
): readonly ElementId[] {
  const found: ElementId[] = [];
  let behind = 0;
  for (const element of index.descendants(listService)) {
    if (index.outerStart(element) < behind) continue;
    const passes = !withMarkers && isRegroupMarker(index, element);
    if (!passes && !names.has(index.localName(element))) continue;
    if (!passes) found.push(element);
    behind = index.outerEnd(element);
  }
  return found;
}
