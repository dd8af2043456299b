// Decides which nodes of an old and a new list of siblings are the same node: by key, by unique content, then by order.
// Unique anchors cost n log n; only short stretches between them meet a table, whose size is limited.

/** What alignment needs to know of one node. */
export interface AlignmentItem {
  /** Equal for nodes that can stand for each other: kind and name. */
  readonly kind: string;
  /** Kind with key, or kind with content: equal labels are taken for the same node. */
  readonly label: string;
}

/** Old and new place of a node that stays; both rise from pair to pair. */
export type AlignedPair = readonly [before: number, after: number];

/** Aligns two lists; tables have at most `cells` cells. */
export function alignSiblings(
  before: readonly AlignmentItem[],
  after: readonly AlignmentItem[],
  cells: number,
): readonly AlignedPair[] {
  const anchors = longestRise(uniquePairs(before, after));
  const pairs: AlignedPair[] = [];
  let from: AlignedPair = [0, 0];
  for (const anchor of [...anchors, undefined]) {
    const [i, j] = anchor ?? [before.length, after.length];
    const stretch = alignStretch(before.slice(from[0], i), after.slice(from[1], j), cells);
    for (const [a, b] of stretch) pairs.push([from[0] + a, from[1] + b]);
    if (anchor !== undefined) pairs.push(anchor);
    from = [i + 1, j + 1];
  }
  return pairs;
}

/** Pairs of labels that occur once in either list, by old place. */
function uniquePairs(before: readonly AlignmentItem[], after: readonly AlignmentItem[]): readonly AlignedPair[] {
  const places = onlyPlaces(after);
  const pairs: AlignedPair[] = [];
  for (const [label, i] of onlyPlaces(before)) {
    const j = places.get(label) ?? -1;
    if (i >= 0 && j >= 0) pairs.push([i, j]);
  }
  return pairs;
}

/** Place of each label, -1 for one that repeats; in the order of first occurrence. */
function onlyPlaces(items: readonly AlignmentItem[]): ReadonlyMap<string, number> {
  const places = new Map<string, number>();
  for (const [place, { label }] of items.entries()) places.set(label, places.has(label) ? -1 : place);
  return places;
}

/** The longest run of pairs whose new places rise, by patience sorting. */
function longestRise(pairs: readonly AlignedPair[]): readonly AlignedPair[] {
  const tails: number[] = [];
  const previous = new Int32Array(pairs.length);
  const newPlace = (pair: number): number => pairs[pair]?.[1] ?? -1;
  for (let pair = 0; pair < pairs.length; pair++) {
    let low = 0;
    let high = tails.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (newPlace(tails[middle] ?? 0) < newPlace(pair)) low = middle + 1;
      else high = middle;
    }
    previous[pair] = tails[low - 1] ?? -1;
    tails[low] = pair;
  }
  const rise: AlignedPair[] = [];
  for (let at = tails.at(-1) ?? -1; at >= 0; at = previous[at] ?? -1) rise.push(pairs[at] ?? [0, 0]);
  return rise.reverse();
}

/** Aligns what lies between two anchors. What then faces each other unpaired and is of one sort becomes a pair too. */
function alignStretch(
  before: readonly AlignmentItem[],
  after: readonly AlignmentItem[],
  cells: number,
): readonly AlignedPair[] {
  if (before.length === 0 || after.length === 0) return [];
  const common = before.length * after.length <= cells ? bestPairs(before, after) : [];
  const pairs: AlignedPair[] = [];
  let [i, j] = [0, 0];
  for (const [nextI, nextJ] of [...common, [before.length, after.length] as const]) {
    for (; i < nextI && j < nextJ && sortOf(before[i]) === sortOf(after[j]); i++, j++) pairs.push([i, j]);
    if (nextI < before.length) pairs.push([nextI, nextJ]);
    [i, j] = [nextI + 1, nextJ + 1];
  }
  return pairs;
}

/** Element, comment or processing instruction: nodes that `replace` can exchange. */
function sortOf(item: AlignmentItem | undefined): string {
  return item?.kind.charAt(0) ?? '';
}

/** Common subsequence of greatest weight: the same label counts more than the same kind. */
function bestPairs(before: readonly AlignmentItem[], after: readonly AlignmentItem[]): readonly AlignedPair[] {
  const width = after.length + 1;
  const best = new Int32Array((before.length + 1) * width);
  const weight = (i: number, j: number): number => {
    if (before[i]?.label === after[j]?.label) return 4;
    return before[i]?.kind === after[j]?.kind ? 1 : 0;
  };
  const at = (i: number, j: number): number => best[i * width + j] ?? 0;
  for (let i = before.length - 1; i >= 0; i--) {
    for (let j = after.length - 1; j >= 0; j--) {
      const paired = weight(i, j) === 0 ? 0 : weight(i, j) + at(i + 1, j + 1);
      best[i * width + j] = Math.max(paired, at(i + 1, j), at(i, j + 1));
    }
  }
  const pairs: AlignedPair[] = [];
  for (let i = 0, j = 0; i < before.length && j < after.length; ) {
    if (weight(i, j) > 0 && at(i, j) === weight(i, j) + at(i + 1, j + 1)) pairs.push([i++, j++]);
    else if (at(i, j) === at(i + 1, j)) i++;
    else j++;
  }
  return pairs;
}
