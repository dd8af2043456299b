// Areas that a policy brings along: GeoJSON (RFC 7946) polygons, alone or in features and collections, checked when the file is loaded.
import { type Polygon, type Position, type Ring, ringProblem } from './geometry.ts';

/** Corners of all polygons of one file: every area of a document is compared with each. */
const mostCorners = 5000;
const deepest = 16;

/** Reads the polygons of a GeoJSON text. Throws Error that says what is wrong. */
export function readGeoJson(text: string): readonly Polygon[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error('is no JSON');
  }
  const polygons = polygonsOf(value, 0);
  if (polygons.length === 0) throw new Error('has no Polygon or MultiPolygon');
  const corners = polygons.flatMap(({ outer, holes }) => [outer, ...holes]).reduce((sum, ring) => sum + ring.length, 0);
  if (corners > mostCorners) throw new Error(`has ${corners} corners; ${mostCorners} are usable`);
  for (const [number, { outer, holes }] of polygons.entries()) {
    for (const ring of [outer, ...holes]) {
      const problem = ringProblem(ring);
      if (problem !== undefined) throw new Error(`polygon ${number + 1} ${problem}`);
    }
  }
  return polygons;
}

function polygonsOf(value: unknown, depth: number): readonly Polygon[] {
  if (!isObject(value) || depth > deepest) throw new Error('is no GeoJSON');
  const list = (key: string): readonly unknown[] => {
    const found = value[key];
    if (!Array.isArray(found)) throw new Error(`${String(value.type)} has no ${key}`);
    return found;
  };
  switch (value.type) {
    case 'FeatureCollection':
      return list('features').flatMap((feature) => polygonsOf(feature, depth + 1));
    case 'Feature':
      return polygonsOf(value.geometry, depth + 1);
    case 'GeometryCollection':
      return list('geometries').flatMap((geometry) => polygonsOf(geometry, depth + 1));
    case 'Polygon':
      return [polygon(list('coordinates'))];
    case 'MultiPolygon':
      return list('coordinates').map((rings) => polygon(rings));
    default:
      throw new Error(`${String(value.type).slice(0, 50)} is no area: Polygon and MultiPolygon are`);
  }
}

function polygon(rings: unknown): Polygon {
  if (!Array.isArray(rings) || rings.length === 0) throw new Error('has a polygon without rings');
  const [outer = [], ...holes] = rings.map(ring);
  return { outer, holes };
}

function ring(value: unknown): Ring {
  if (!Array.isArray(value) || value.length < 4) throw new Error('has a ring of fewer than four positions');
  const positions = value.map(position);
  const first = positions[0];
  const last = positions.at(-1);
  // RFC 7946 3.1.6: the first and last positions are identical
  if (first === undefined || last === undefined || first[0] !== last[0] || first[1] !== last[1]) {
    throw new Error('has a ring that is not closed');
  }
  return positions.slice(0, -1);
}

function position(value: unknown): Position {
  const [longitude, latitude] = Array.isArray(value) ? (value as readonly unknown[]) : [];
  if (typeof longitude !== 'number' || typeof latitude !== 'number')
    throw new Error('has a position that is no pair of numbers');
  return [longitude, latitude];
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
