import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { readGeoJson } from './geojson.ts';
import { isWithin, type Polygon, type Ring, ringProblem, touches } from './geometry.ts';
import { blue, groupDocument, policyText, problemsOf, withPolicyFolder } from './policy.testkit.ts';

const square = (west: number, south: number, size: number): Ring => [
  [west, south],
  [west + size, south],
  [west + size, south + size],
  [west, south + size],
];
const closed = (ring: Ring): Ring => [...ring, ring[0] ?? [0, 0]];
const geoJson = (...rings: readonly Ring[]): string =>
  JSON.stringify({ type: 'Feature', properties: {}, geometry: { type: 'Polygon', coordinates: rings.map(closed) } });

const corner = ([longitude, latitude]: readonly [number, number]): string =>
  `<m:Corner><m:longitude>${longitude}</m:longitude><m:latitude>${latitude}</m:latitude></m:Corner>`;
const polygon = (ring: Ring): string => `<m:PolygonArea>${ring.map(corner).join('')}</m:PolygonArea>`;
const area = (content: string, name = 'permitted-geographic-area'): string => `    <m:${name}>${content}</m:${name}>`;

const border = geoJson(square(5, 45, 4));
async function apply(rule: string, document: string, files: Readonly<Record<string, string>> = {}): Promise<string> {
  return withPolicyFolder({ 'policy.yaml': policyText([rule]), 'border.geojson': border, ...files }, async (_, load) =>
    Buffer.from((await (await load()).apply(Buffer.from(document), blue)).bytes).toString(),
  );
}
const keep = 'areas: { keepWithin: border.geojson }';

describe('areas: keepWithin keeps what lies wholly inside', () => {
  const inside = area(polygon(square(6, 46, 1)));
  const outside = area(polygon(square(20, 46, 1)), 'mandatory-geographic-area');
  const across = area(polygon(square(8.5, 46, 1)));

  test('areas outside and across the border go with their lines, everything else stays', async () => {
    const text = await apply(keep, groupDocument(`${inside}\n${outside}\n${across}\n    <m:owner>Red</m:owner>`));
    expect(text).toBe(groupDocument(`${inside}\n    <m:owner>Red</m:owner>`));
  });

  test('of several geometries in one element those outside go', async () => {
    const both = polygon(square(6, 46, 1)) + polygon(square(20, 46, 1));
    expect(await apply(keep, groupDocument(area(both)))).toBe(groupDocument(inside));
  });

  test('the border itself is inside', async () => {
    const document = groupDocument(area(polygon(square(5, 45, 4))));
    expect(await apply(keep, document)).toBe(document);
  });

  test.each([
    [
      'ellipsoid arcs, as whole circles',
      '<m:EllipsoidArcArea><m:Center><m:longitude>7</m:longitude><m:latitude>47</m:latitude></m:Center><m:Radius>RADIUS</m:Radius><m:OffsetAngle>0</m:OffsetAngle><m:IncludedAngle>90</m:IncludedAngle></m:EllipsoidArcArea>',
    ],
    [
      'circles of RFC 5491',
      '<s:Circle xmlns:s="http://www.opengis.net/pidflo/1.0" xmlns:l="http://www.opengis.net/gml" srsName="urn:ogc:def:crs:EPSG::4326"><l:pos>47 7</l:pos><s:radius uom="urn:ogc:def:uom:EPSG::9001">RADIUS</s:radius></s:Circle>',
    ],
  ])('%s', async (_name, circle) => {
    const small = groupDocument(area(circle.replace('RADIUS', '20000')));
    expect(await apply(keep, small)).toBe(small);
    expect(await apply(keep, groupDocument(area(circle.replace('RADIUS', '300000'))))).not.toContain('area');
  });

  test('GML polygons, latitude first', async () => {
    const gml = (list: string): string =>
      groupDocument(
        area(
          `<l:Polygon xmlns:l="http://www.opengis.net/gml"><l:exterior><l:LinearRing><l:posList>${list}</l:posList></l:LinearRing></l:exterior></l:Polygon>`,
        ),
      );
    expect(await apply(keep, gml('46 6 46 7 47 7 46 6'))).toContain('posList');
    expect(await apply(keep, gml('6 46 7 46 7 47 6 46'))).not.toContain('posList');
  });

  test('coordinates in three bytes, TS 23.032 clause 6.1', async () => {
    const bytes = (longitude: number, latitude: number): string => {
      const x = Math.round((longitude * 2 ** 24) / 360) & 0xffffff;
      const y = (latitude < 0 ? 0x800000 : 0) | Math.round((Math.abs(latitude) * 2 ** 23) / 90);
      return `<m:Corner><m:longitude><m:threebytes>${x}</m:threebytes></m:longitude><m:latitude><m:threebytes>${y}</m:threebytes></m:latitude></m:Corner>`;
    };
    const ring = (x: number, y: number): string =>
      groupDocument(area(`<m:PolygonArea>${bytes(x, y)}${bytes(x + 1, y)}${bytes(x, y + 1)}</m:PolygonArea>`));
    expect(await apply(keep, ring(6, 46))).toContain('PolygonArea');
    expect(await apply(keep, ring(-6, 46))).not.toContain('PolygonArea');
    const south = { 'border.geojson': geoJson(square(-70, -40, 10)) };
    expect(await apply(keep, ring(-65, -35), south)).toContain('PolygonArea');
  });

  test('element names are configuration', async () => {
    const named = `areas: { keepWithin: border.geojson, elements: [zone-of-release-21] }`;
    const document = groupDocument(area(polygon(square(20, 46, 1)), 'zone-of-release-21'));
    expect(await apply(named, document)).not.toContain('zone');
    const text = await apply(named, groupDocument(outside));
    expect(text).toBe(groupDocument(outside));
  });

  test('ifNoneLeft: refuse', async () => {
    const rule = 'areas: { keepWithin: border.geojson, ifNoneLeft: refuse }';
    await expect(apply(rule, groupDocument(outside))).rejects.toMatchObject({
      message: 'The policy rule "rule 1": No area of the group would be left',
    });
    expect(await apply(rule, groupDocument(''))).toBe(groupDocument(''));
  });

  const unjudged: readonly (readonly [string, string])[] = [
    ['nothing', ''],
    ['text', 'the whole valley'],
    ['an unknown geometry', '<m:EllipsoidPoint/>'],
    ['an unknown geometry beside a known one', `${polygon(square(6, 46, 1))}<m:Wedge/>`],
    ['a corner that is no number', polygon(square(6, 46, 1)).replace('>6<', '>NaN<')],
    ['an infinite corner', polygon(square(6, 46, 1)).replace('>6<', '>1e999<')],
    ['a corner outside of the earth', polygon(square(6, 89.5, 1))],
    ['two corners', `<m:PolygonArea>${corner([6, 46])}${corner([7, 46])}</m:PolygonArea>`],
    ['no corners', '<m:PolygonArea/>'],
    ['a corner without latitude', '<m:PolygonArea><m:Corner><m:longitude>6</m:longitude></m:Corner></m:PolygonArea>'],
    [
      'a ring that crosses itself',
      polygon([
        [6, 46],
        [7, 47],
        [7, 46],
        [6, 47],
      ]),
    ],
    [
      'a ring without an inside',
      polygon([
        [6, 46],
        [7, 47],
        [8, 48],
      ]),
    ],
    [
      'the antimeridian',
      polygon([
        [179, 46],
        [-179, 46],
        [-179, 47],
        [179, 47],
      ]),
    ],
    [
      'a pole',
      '<m:EllipsoidArcArea><m:Center><m:longitude>7</m:longitude><m:latitude>89</m:latitude></m:Center><m:Radius>1000</m:Radius></m:EllipsoidArcArea>',
    ],
    [
      'a radius below zero',
      '<m:EllipsoidArcArea><m:Center><m:longitude>7</m:longitude><m:latitude>46</m:latitude></m:Center><m:Radius>-5</m:Radius></m:EllipsoidArcArea>',
    ],
    [
      'another coordinate system',
      '<l:Point xmlns:l="http://www.opengis.net/gml" srsName="urn:ogc:def:crs:EPSG::3857"><l:pos>46 6</l:pos></l:Point>',
    ],
    [
      'too large three bytes',
      '<m:PolygonArea><m:Corner><m:longitude><m:threebytes>16777216</m:threebytes></m:longitude><m:latitude>1</m:latitude></m:Corner></m:PolygonArea>',
    ],
  ];
  test.each(unjudged)('a geometry that cannot be judged refuses: %s', async (_name, content) => {
    await expect(apply(keep, groupDocument(area(content)))).rejects.toMatchObject({
      code: 'constraint-failure',
      message: expect.stringContaining('The policy rule "rule 1": an area cannot be judged') as unknown,
    });
  });
});

describe('areas: drop', () => {
  const document = groupDocument(
    `${area(polygon(square(6, 46, 1)))}\n${area(polygon(square(8.5, 46, 1)))}\n${area(polygon(square(20, 46, 1)), 'mandatory-area')}`,
  );
  test('true takes all areas, whatever they hold', async () => {
    expect(await apply('areas: { drop: true }', document.replace('longitude', 'x'))).not.toContain('area');
  });
  test('a GeoJSON file takes those that touch it', async () => {
    expect(await apply('areas: { drop: border.geojson }', document)).toBe(
      groupDocument(area(polygon(square(20, 46, 1)), 'mandatory-area')),
    );
  });
  test('element names take those elements', async () => {
    expect(await apply('areas: { drop: [mandatory-area, odd-name] }', document)).not.toContain('mandatory');
  });
});

describe('a GeoJSON file that cannot be used is refused when it is loaded', () => {
  const files: readonly (readonly [string, string, RegExp])[] = [
    ['no JSON', '{', /border.geojson is no JSON/],
    ['no area', '{"type":"Point","coordinates":[1,2]}', /Point is no area/],
    ['not a number', geoJson(square(5, 45, 4)).replace('5,', 'null,'), /no pair of numbers/],
    [
      'a ring that crosses itself',
      geoJson([
        [0, 0],
        [2, 2],
        [2, 0],
        [0, 1],
      ]),
      /polygon 1 crosses or touches itself/,
    ],
    [
      'a ring that touches itself',
      geoJson([
        [0, 0],
        [2, 0],
        [1, 1],
        [2, 2],
        [0, 2],
        [1, 1],
      ]),
      /crosses or touches itself/,
    ],
    [
      'the antimeridian',
      geoJson([
        [170, 0],
        [-170, 0],
        [-170, 10],
        [170, 10],
      ]),
      /crosses the antimeridian/,
    ],
    ['outside of the earth', geoJson(square(5, 88, 4)), /outside of the earth/],
    ['an open ring', '{"type":"Polygon","coordinates":[[[0,0],[1,0],[1,1],[0,1]]]}', /not closed/],
    ['nothing', '{"type":"FeatureCollection","features":[]}', /has no Polygon/],
    ['a prototype for a type', '{"type":"__proto__"}', /is no area/],
    [
      'too many corners',
      geoJson(Array.from({ length: 5001 }, (_, n) => [Math.cos(n / 1000), Math.sin(n / 1000)] as const)),
      /5001 corners/,
    ],
  ];
  test.each(files)('%s', async (_name, text, problem) => {
    const problems = await withPolicyFolder({ 'policy.yaml': policyText([keep]), 'border.geojson': text }, (_, load) =>
      problemsOf(load),
    );
    expect(problems).toEqual([
      expect.stringMatching(/^policy\.yaml:4: rules\[0\]\.areas\.keepWithin: rule "rule 1": /),
    ]);
    expect(problems[0]).toMatch(problem);
  });
});

describe('within, by example and by property', () => {
  const u: Polygon = {
    outer: [
      [0, 0],
      [9, 0],
      [9, 9],
      [6, 9],
      [6, 3],
      [3, 3],
      [3, 9],
      [0, 9],
    ],
    holes: [],
  };
  const ring: Polygon = { outer: square(0, 0, 9), holes: [square(3, 3, 3)] };
  test.each([
    ['in an arm', square(1, 5, 1), u, true],
    [
      'over the bay, all corners inside',
      [
        [1, 5],
        [8, 5],
        [8, 6],
        [1, 6],
      ],
      u,
      false,
    ],
    [
      'over the bay by its corners alone',
      [
        [3, 9],
        [6, 9],
        [6, 3],
        [3, 3],
      ],
      u,
      false,
    ],
    ['round a hole', square(1, 1, 7), ring, false],
    ['the hole itself', square(3, 3, 3), ring, false],
    ['beside the hole, touching it', square(0, 3, 3), ring, true],
  ] as const)('%s', (_name, one, other, within) => {
    expect(isWithin(one as Ring, [other])).toBe(within);
  });

  test('what lies within touches; what does not touch does not lie within', () => {
    const at = fc.integer({ min: 0, max: 12 });
    const triangle = fc.tuple(at, at, at, at, at, at).map(
      ([a, b, c, d, e, f]): Ring => [
        [a, b],
        [c, d],
        [e, f],
      ],
    );
    fc.assert(
      fc.property(triangle, triangle, (one, other) => {
        fc.pre(ringProblem(one) === undefined && ringProblem(other) === undefined);
        const polygons = [{ outer: other, holes: [] }];
        if (isWithin(one, polygons)) expect(touches(one, polygons)).toBe(true);
        expect(isWithin(other, polygons)).toBe(true);
        // A sample of the inside says the same.
        for (const weight of [0.2, 0.45]) {
          const point = ([0, 1] as const).map((axis) =>
            one.reduce((sum, p, n) => sum + p[axis] * ([weight, weight, 1 - 2 * weight][n] ?? 0), 0),
          );
          const tiny: Ring = square(point[0] ?? 0, point[1] ?? 0, 1e-6);
          if (!touches(tiny, polygons)) expect(isWithin(one, polygons)).toBe(false);
        }
      }),
      { numRuns: 300 },
    );
  });

  test('features, collections and many polygons', () => {
    const collection = {
      type: 'GeometryCollection',
      geometries: [{ type: 'MultiPolygon', coordinates: [[closed(square(0, 0, 1))], [closed(square(5, 5, 1))]] }],
    };
    expect(
      readGeoJson(JSON.stringify({ type: 'FeatureCollection', features: [{ type: 'Feature', geometry: collection }] })),
    ).toHaveLength(2);
  });
});

test.each<readonly [string, Ring, Ring, boolean]>([
  [
    'halves of two squares side by side',
    square(0, 0, 2),
    [
      [1, 0],
      [3, 0],
      [3, 2],
      [1, 2],
    ],
    true,
  ],
  [
    'one arm of an angle',
    [
      [0, 0],
      [2, 0],
      [2, 1],
      [1, 1],
      [1, 2],
      [0, 2],
    ],
    [
      [1, 0],
      [3, 0],
      [3, 1],
      [1, 1],
    ],
    true,
  ],
  ['neighbours', square(0, 0, 2), square(2, 0, 2), false],
  [
    'what fills the corner of an angle',
    [
      [0, 0],
      [2, 0],
      [2, 1],
      [1, 1],
      [1, 2],
      [0, 2],
    ],
    square(1, 1, 1),
    false,
  ],
])('areas whose edges run along each other have as much in common as they have: %s', (_name, one, other, both) => {
  expect(touches(one, [{ outer: other, holes: [] }])).toBe(both);
  expect(touches(other, [{ outer: one, holes: [] }])).toBe(both);
});

test.each([
  ['three dimensions', '<l:posList srsDimension="3">46 6 0 46 7 0 47 7 0 47 6 0</l:posList>'],
  [
    'another coordinate system of the positions',
    '<l:posList srsName="urn:ogc:def:crs:EPSG::3857">46 6 46 7 47 7 47 6</l:posList>',
  ],
  ['two positions in one', '<l:pos>46 6 46 7</l:pos><l:pos>47 7 47 6</l:pos>'],
])('RFC 5491 5: GML that says another thing than pairs of WGS 84 cannot be judged: %s', async (_name, positions) => {
  const gml = `<l:Polygon xmlns:l="http://www.opengis.net/gml"><l:exterior><l:LinearRing>${positions}</l:LinearRing></l:exterior></l:Polygon>`;
  await expect(apply(keep, groupDocument(area(gml)))).rejects.toMatchObject({
    code: 'constraint-failure',
    message: expect.stringContaining('cannot be judged') as unknown,
  });
});

describe('areas: what binds both systems changes only with endToEnd', () => {
  const within =
    '<m:on-network-regrouped temporary-MCPTT-group-ID="sip:t@red.example">\n  <m:service-area>all</m:service-area></m:on-network-regrouped>';

  test('regroup markers pass, whatever they hold', async () => {
    const document = groupDocument(`    ${within}`);
    for (const rule of ['areas: { drop: true }', keep]) expect(await apply(rule, document)).toBe(document);
    expect(await apply('endToEnd: true, areas: { drop: true }', document)).not.toContain('service-area');
  });

  test('a rule that names such elements is a problem, an area that holds one refuses', async () => {
    const problems = (rule: string): Promise<readonly string[]> =>
      withPolicyFolder({ 'policy.yaml': policyText([rule]) }, (_, load) => problemsOf(load));
    for (const name of ['protect-media', 'on-network-regrouped', 'invite-members']) {
      const drop = `areas: { drop: [zone, ${name}] }`;
      expect(await problems(drop)).toEqual([expect.stringContaining(`${name} binds both systems`)]);
      expect(await problems(`areas: { drop: true, elements: [${name}] }`)).toHaveLength(1);
      expect(await problems(`endToEnd: true, ${drop}`)).toEqual([]);
    }
    const holding = groupDocument(area('<m:protect-media>true</m:protect-media>'));
    await expect(apply('areas: { drop: true }', holding)).rejects.toMatchObject({ code: 'constraint-failure' });
  });
});
