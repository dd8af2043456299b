// Areas as group documents write them: the polygons and ellipsoid arcs of TS 24.379 location information, coordinates in degrees or as
// TS 23.032 encodes them, and the GML shapes of RFC 5491. What is not fully understood is not judged.
import type { ElementId, OffsetIndex } from '../xml/offset-index.ts';
import { circleAround, type Position, type Ring, ringProblem } from './geometry.ts';

/** One geometry inside an area element. */
export interface AreaGeometry {
  readonly element: ElementId;
  readonly ring: Ring;
}

/** Names of the elements that hold areas where a rule names none. */
export const usualAreaElements: readonly string[] = [
  'permitted-geographic-area',
  'mandatory-geographic-area',
  'on-network-permitted-geographic-area',
  'on-network-mandatory-geographic-area',
  'permitted-area',
  'mandatory-area',
  'geographic-area',
  'GeographicalAreaDef',
  'GeographicalArea',
  'geographical-area',
  'service-area',
  'ServiceArea',
  // Outside of all these: a geometry by itself.
  'PolygonArea',
  'EllipsoidArcArea',
];

/** Children of an area element that describe it and are no geometry. */
const descriptions = new Set(['name', 'display-name', 'description', 'label', 'comment', 'id']);
/** Elements that only wrap geometries. */
const wrappers = new Set([
  'GeographicalAreaDef',
  'GeographicalArea',
  'Area',
  'area',
  'Shape',
  'shape',
  'anyExt',
  'MultiPolygon',
]);
const wgs84 = /^(urn:ogc:def:crs:EPSG:[\d.]*:4326|EPSG:4326|)$/;

/** All geometries of an area element. Throws Error that says what cannot be judged. */
export function areaGeometries(index: OffsetIndex, area: ElementId): readonly AreaGeometry[] {
  const found = isGeometry(index, area) ? [geometry(index, area)] : inside(index, area);
  if (found.length === 0) throw new Error(`${index.localName(area)} holds no geometry that can be judged`);
  return found;
}

function inside(index: OffsetIndex, area: ElementId): readonly AreaGeometry[] {
  if (index.firstChild(area) < 0 && index.text(area).trim() !== '') {
    throw new Error(`${index.localName(area)} describes an area by text`);
  }
  return index.children(area).flatMap((child) => {
    const name = index.localName(child);
    if (isGeometry(index, child)) return [geometry(index, child)];
    if (wrappers.has(name) || /Members?$/.test(name)) return inside(index, child);
    if (descriptions.has(name)) return [];
    throw new Error(`${name} is no geometry that can be judged`);
  });
}

function isGeometry(index: OffsetIndex, element: ElementId): boolean {
  return ['PolygonArea', 'EllipsoidArcArea', 'Polygon', 'Circle', 'Point'].includes(index.localName(element));
}

function geometry(index: OffsetIndex, element: ElementId): AreaGeometry {
  const name = index.localName(element);
  const ring = shape(index, element, name);
  const problem = ring === undefined ? 'reaches over a pole or the antimeridian' : ringProblem(ring);
  if (ring === undefined || problem !== undefined) throw new Error(`${name} ${problem}`);
  return { element, ring };
}

function shape(index: OffsetIndex, element: ElementId, name: string): Ring | undefined {
  switch (name) {
    case 'PolygonArea':
      return open(namedChildren(index, element, ['Corner', 'corner']).map((corner) => coordinate(index, corner)));
    case 'EllipsoidArcArea': {
      // The whole circle around an arc: what lies within holds for the arc, too.
      const [centre] = namedChildren(index, element, ['Center', 'Centre', 'center']);
      if (centre === undefined) throw new Error('EllipsoidArcArea has no centre');
      return circleAround(coordinate(index, centre), numeric(index, element, ['Radius', 'radius']));
    }
    case 'Polygon':
      return gmlPolygon(index, element);
    case 'Circle':
      return circleAround(gmlPoint(index, element), numeric(index, element, ['radius']));
    default:
      // A point lies within where a circle of one metre does.
      return circleAround(gmlPoint(index, element), 1);
  }
}

/** TS 24.379 tPointCoordinate: degrees, or `threebytes` encoded by TS 23.032 clause 6.1. */
function coordinate(index: OffsetIndex, corner: ElementId): Position {
  const [point = corner] = namedChildren(index, corner, ['PointCoordinate', 'pointCoordinate']);
  const one = (names: readonly string[]): ElementId => {
    const [found, ...more] = namedChildren(index, point, names);
    if (found === undefined || more.length > 0) throw new Error(`${index.localName(corner)} has no ${names[0]}`);
    return found;
  };
  return [angle(index, one(['longitude', 'Longitude']), 360), angle(index, one(['latitude', 'Latitude']), 90)];
}

function angle(index: OffsetIndex, element: ElementId, full: 360 | 90): number {
  const [encoded] = namedChildren(index, element, ['threebytes', 'ThreeBytes']);
  if (encoded === undefined) return decimal(index.text(element));
  const value = decimal(index.text(encoded));
  if (!Number.isInteger(value) || value < 0 || value > 0xffffff) throw new Error('a coordinate has no three bytes');
  // Latitude: a sign bit and 23 bits of magnitude for 90 degrees; longitude: two's complement of 24 bits for 360 degrees.
  if (full === 90) return ((value & 0x7fffff) * 90 * (value & 0x800000 ? -1 : 1)) / 2 ** 23;
  return ((value & 0x800000 ? value - 2 ** 24 : value) * 360) / 2 ** 24;
}

function gmlPolygon(index: OffsetIndex, element: ElementId): Ring {
  checkSystem(index, element);
  const [exterior, ...more] = namedChildren(index, element, ['exterior', 'outerBoundaryIs']);
  const [ring] = exterior === undefined ? [] : namedChildren(index, exterior, ['LinearRing']);
  if (ring === undefined || more.length > 0) throw new Error('Polygon has no outer ring');
  checkSystem(index, ring);
  const numbers = namedChildren(index, ring, ['pos', 'posList']).flatMap((part) => decimals(index, part));
  const corners: Position[] = [];
  for (let at = 0; at + 1 < numbers.length; at += 2)
    corners.push([numbers[at + 1] ?? Number.NaN, numbers[at] ?? Number.NaN]);
  return open(corners);
}

function gmlPoint(index: OffsetIndex, element: ElementId): Position {
  checkSystem(index, element);
  const [pos] = namedChildren(index, element, ['pos']);
  const [latitude, longitude] = pos === undefined ? [] : decimals(index, pos);
  if (latitude === undefined || longitude === undefined) throw new Error(`${index.localName(element)} has no position`);
  return [longitude, latitude];
}

// RFC 5491 clause 5: two-dimensional shapes in WGS 84, latitude first
function checkSystem(index: OffsetIndex, element: ElementId): void {
  const system = index.attribute(element, 'srsName') ?? '';
  if (!wgs84.test(system))
    throw new Error(`${index.localName(element)} has the coordinate system ${system.slice(0, 100)}`);
  const dimension = index.attribute(element, 'srsDimension');
  if (dimension !== undefined && dimension.trim() !== '2')
    throw new Error(`${index.localName(element)} has ${dimension.slice(0, 100)} dimensions`);
}

/** Latitudes and longitudes of a `pos`, which holds one pair, or a `posList`. */
function decimals(index: OffsetIndex, element: ElementId): readonly number[] {
  checkSystem(index, element);
  const numbers = index.text(element).trim().split(/\s+/).map(decimal);
  if (numbers.length % 2 !== 0 || (index.localName(element) === 'pos' && numbers.length !== 2))
    throw new Error(`${index.localName(element)} has a position that is no pair of numbers`);
  return numbers;
}

function numeric(index: OffsetIndex, element: ElementId, names: readonly string[]): number {
  const [found] = namedChildren(index, element, names);
  const value = found === undefined ? Number.NaN : decimal(index.text(found));
  const unit = found === undefined ? undefined : index.attribute(found, 'uom');
  if (unit !== undefined && unit !== 'urn:ogc:def:uom:EPSG::9001') throw new Error('a radius is not in metres');
  if (!(value >= 0)) throw new Error(`${index.localName(element)} has no radius`);
  return Math.max(value, 1);
}

function decimal(text: string): number {
  const trimmed = text.trim();
  if (!/^[+-]?(\d{1,9}(\.\d{0,15})?|\.\d{1,15})$/.test(trimmed)) throw new Error('a coordinate is no number');
  return Number(trimmed);
}

function namedChildren(index: OffsetIndex, element: ElementId, names: readonly string[]): readonly ElementId[] {
  return index.children(element).filter((child) => names.includes(index.localName(child)));
}

/** A ring without its closing corner, when it has one. */
function open(corners: readonly Position[]): Ring {
  const first = corners[0];
  const last = corners.at(-1);
  const closed =
    corners.length > 1 && first !== undefined && last !== undefined && first[0] === last[0] && first[1] === last[1];
  return closed ? corners.slice(0, -1) : corners;
}
