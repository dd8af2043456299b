// Plane geometry in degrees of longitude and latitude: rings, whether they are simple, and whether one area lies within another.
// Edges are straight lines between the corners, as RFC 7946 clause 3.1.1 says.

/** Longitude and latitude, degrees. */
export type Position = readonly [longitude: number, latitude: number];

/** A closed line; the first corner is not repeated. */
export type Ring = readonly Position[];

/** An outer ring and the holes in it. */
export interface Polygon {
  readonly outer: Ring;
  readonly holes: readonly Ring[];
}

interface Box {
  readonly west: number;
  readonly south: number;
  readonly east: number;
  readonly north: number;
}

/** Metres that a degree of latitude is long at least (at the equator, WGS 84). */
const metresPerDegree = 110_574;

/** What is wrong with a ring; undefined when it is usable. */
export function ringProblem(ring: Ring): string | undefined {
  if (ring.length < 3) return 'has fewer than three corners';
  for (const [longitude, latitude] of ring) {
    if (!Number.isFinite(longitude) || !Number.isFinite(latitude)) return 'has a corner that is no number';
    if (Math.abs(longitude) > 180 || Math.abs(latitude) > 90) return 'has a corner outside of the earth';
  }
  for (const [from, to] of edges(ring)) {
    // RFC 7946 3.1.9: what crosses the antimeridian is cut in two there.
    if (Math.abs(from[0] - to[0]) > 180) return 'crosses the antimeridian; cut it in two there';
  }
  if (Math.abs(doubleArea(ring)) < 1e-12) return 'encloses nothing';
  return isSimple(ring) ? undefined : 'crosses or touches itself';
}

/** Whether every point of a ring's inside lies in one of the polygons, borders included. */
export function isWithin(ring: Ring, polygons: readonly Polygon[]): boolean {
  return polygons.some((polygon) => liesIn(ring, polygon));
}

/** Whether a ring's inside and one of the polygons have more than a border in common. */
export function touches(ring: Ring, polygons: readonly Polygon[]): boolean {
  return polygons.some((polygon) => overlaps(ring, polygon));
}

/** A ring around all points within `radius` metres of a point; undefined where that would reach a pole or the antimeridian. */
export function circleAround([longitude, latitude]: Position, radius: number): Ring | undefined {
  const high = radius / metresPerDegree;
  const furthest = Math.abs(latitude) + high;
  if (furthest >= 89) return undefined;
  const wide = high / Math.cos((furthest * Math.PI) / 180);
  if (Math.abs(longitude) + wide > 180) return undefined;
  const corners = 32;
  // Around the circle, not inside of it: nothing of the area may be missed.
  const stretch = 1 / Math.cos(Math.PI / corners);
  return Array.from({ length: corners }, (_, number): Position => {
    const angle = (2 * Math.PI * number) / corners;
    return [longitude + wide * stretch * Math.cos(angle), latitude + high * stretch * Math.sin(angle)];
  });
}

function liesIn(ring: Ring, { outer, holes }: Polygon): boolean {
  if (!boxContains(boxOf(outer), boxOf(ring))) return false;
  if (!ring.every((corner) => sideOf(corner, outer) >= 0) || crosses(ring, outer)) return false;
  if (!middles(ring, outer).every((point) => sideOf(point, outer) >= 0)) return false;
  return holes.every((hole) => {
    if (!boxesMeet(boxOf(hole), boxOf(ring))) return true;
    if (ring.some((corner) => sideOf(corner, hole) > 0) || crosses(ring, hole)) return false;
    if (middles(ring, hole).some((point) => sideOf(point, hole) > 0)) return false;
    return !hole.some((corner) => sideOf(corner, ring) > 0) && sideOf(insideOf(hole), ring) <= 0;
  });
}

function overlaps(ring: Ring, { outer, holes }: Polygon): boolean {
  if (!boxesMeet(boxOf(outer), boxOf(ring))) return false;
  const meets =
    crosses(ring, outer) ||
    ring.some((corner) => sideOf(corner, outer) > 0) ||
    outer.some((corner) => sideOf(corner, ring) > 0) ||
    sideOf(insideOf(ring), outer) > 0 ||
    sideOf(insideOf(outer), ring) > 0 ||
    // Edges that run along each other cross nowhere, and all corners may lie on the other ring.
    middles(ring, outer).some((point) => sideOf(point, outer) > 0) ||
    middles(outer, ring).some((point) => sideOf(point, ring) > 0);
  return meets && !holes.some((hole) => liesIn(ring, { outer: hole, holes: [] }));
}

/** 1 inside of a ring, 0 on it, -1 outside. */
function sideOf([x, y]: Position, ring: Ring): -1 | 0 | 1 {
  let inside = false;
  for (const [[ax, ay], [bx, by]] of edges(ring)) {
    const turn = (bx - ax) * (y - ay) - (by - ay) * (x - ax);
    if (
      turn === 0 &&
      x >= Math.min(ax, bx) &&
      x <= Math.max(ax, bx) &&
      y >= Math.min(ay, by) &&
      y <= Math.max(ay, by)
    ) {
      return 0;
    }
    if (ay > y !== by > y && turn > 0 === by > ay) inside = !inside;
  }
  return inside ? 1 : -1;
}

/** Whether edges of two rings cross properly: in a point that is an end of neither. */
function crosses(one: Ring, other: Ring): boolean {
  const others = edges(other);
  return edges(one).some(([a, b]) => others.some(([c, d]) => cross(a, b, c, d)));
}

function cross(a: Position, b: Position, c: Position, d: Position): boolean {
  return turn(a, b, c) * turn(a, b, d) < 0 && turn(c, d, a) * turn(c, d, b) < 0;
}

function turn(a: Position, b: Position, c: Position): number {
  return Math.sign((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]));
}

/** Middles of the pieces into which corners of another ring cut the edges of one: edges may leave a ring through its corners. */
function middles(ring: Ring, other: Ring): readonly Position[] {
  return edges(ring).flatMap(([a, b]) => {
    const cuts = other.filter((corner) => isOn(corner, a, b)).sort((p, q) => distance(p, a) - distance(q, a));
    const stops = [a, ...cuts, b];
    return stops.slice(1).map((stop, number): Position => {
      const before = stops[number] ?? a;
      return [(before[0] + stop[0]) / 2, (before[1] + stop[1]) / 2];
    });
  });
}

function isOn(point: Position, a: Position, b: Position): boolean {
  if (turn(a, b, point) !== 0) return false;
  return (
    point[0] >= Math.min(a[0], b[0]) &&
    point[0] <= Math.max(a[0], b[0]) &&
    point[1] >= Math.min(a[1], b[1]) &&
    point[1] <= Math.max(a[1], b[1])
  );
}

function distance(p: Position, q: Position): number {
  return (p[0] - q[0]) ** 2 + (p[1] - q[1]) ** 2;
}

/** A point strictly inside of a ring: in the middle of its widest stretch at some height between two corners. */
function insideOf(ring: Ring): Position {
  const heights = [...new Set(ring.map(([, latitude]) => latitude))].sort((a, b) => a - b);
  const low = heights[0] ?? 0;
  const y = (low + (heights[1] ?? low)) / 2;
  const cuts = edges(ring)
    .filter(([a, b]) => a[1] > y !== b[1] > y)
    .map(([a, b]) => a[0] + ((y - a[1]) / (b[1] - a[1])) * (b[0] - a[0]))
    .sort((a, b) => a - b);
  return [((cuts[0] ?? 0) + (cuts[1] ?? 0)) / 2, y];
}

function isSimple(ring: Ring): boolean {
  const all = edges(ring).map((edge) => ({ edge, box: boxOf(edge) }));
  const byWest = all.map((item, position) => ({ ...item, position })).sort((a, b) => a.box.west - b.box.west);
  for (const [number, { edge, box, position }] of byWest.entries()) {
    for (let next = number + 1; next < byWest.length; next++) {
      const other = byWest[next];
      if (other === undefined || other.box.west > box.east) break;
      const gap = Math.abs(position - other.position);
      if (gap === 1 || gap === all.length - 1) {
        if (foldsBack(edge, other.edge)) return false;
      } else if (meet(edge, other.edge)) return false;
    }
  }
  return true;
}

type Edge = readonly [Position, Position];

/** Whether two edges that share a corner share more than that. */
function foldsBack([a, b]: Edge, [c, d]: Edge): boolean {
  const [shared, one, other] = same(b, c) ? [b, a, d] : same(a, d) ? [a, b, c] : [undefined, a, d];
  if (shared === undefined || same(a, b) || same(c, d)) return true;
  return isOn(one, shared, other) || isOn(other, shared, one);
}

function meet([a, b]: Edge, [c, d]: Edge): boolean {
  return cross(a, b, c, d) || isOn(c, a, b) || isOn(d, a, b) || isOn(a, c, d) || isOn(b, c, d);
}

function same(a: Position, b: Position): boolean {
  return a[0] === b[0] && a[1] === b[1];
}

function edges(ring: Ring): readonly Edge[] {
  return ring.map((corner, number): Edge => [corner, ring[(number + 1) % ring.length] ?? corner]);
}

function doubleArea(ring: Ring): number {
  return edges(ring).reduce((area, [a, b]) => area + a[0] * b[1] - b[0] * a[1], 0);
}

function boxOf(ring: readonly Position[]): Box {
  let [west, south, east, north] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const [x, y] of ring) {
    if (x < west) west = x;
    if (x > east) east = x;
    if (y < south) south = y;
    if (y > north) north = y;
  }
  return { west, south, east, north };
}

function boxContains(outer: Box, inner: Box): boolean {
  return (
    outer.west <= inner.west && outer.east >= inner.east && outer.south <= inner.south && outer.north >= inner.north
  );
}

function boxesMeet(one: Box, other: Box): boolean {
  return one.west <= other.east && other.west <= one.east && one.south <= other.north && other.south <= one.north;
}
