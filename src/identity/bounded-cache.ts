// A node-cache that never throws for want of room: expired entries go first, and when that is not enough it starts over empty.
// For small things with a time to live: verified tokens, nonces.
import NodeCache from 'node-cache';

export interface BoundedCache<Value> {
  get(key: string): Value | undefined;
  /** Keeps the value for `seconds`, at least 1. Returns false when everything kept before had to be forgotten to make room. */
  remember(key: string, value: Value, seconds: number): boolean;
}

/** Makes an empty cache for at most `capacity` entries. It runs no timer, so it needs no closing. */
export function boundedCache<Value>(capacity: number): BoundedCache<Value> {
  const cache = new NodeCache({ maxKeys: capacity, checkperiod: 0, useClones: false });
  return {
    get: (key) => cache.get<Value>(key),
    remember(key, value, seconds) {
      cache.del(key);
      const roomy = cache.getStats().keys < capacity || prune(cache, capacity);
      if (!roomy) cache.flushAll();
      cache.set(key, value, Math.max(1, Math.ceil(seconds)));
      return roomy;
    },
  };
}

// True when a quarter became free: with less, the next insertions would each walk over all entries again
function prune(cache: NodeCache, capacity: number): boolean {
  // Reading an expired entry deletes it
  for (const key of cache.keys()) cache.get(key);
  return cache.getStats().keys <= capacity * 0.75;
}
