// Entry bundles (C2SP tlog-tiles): 256 leaves a file, each with a 16-bit length before it.

export const BUNDLE_ENTRIES = 256;

/** "entries/x001/x234/067" for bundle 1234067, with ".p/W" while the tree of `size` leaves fills only W of its 256 places. */
export function bundlePath(bundle: number, size: number): string {
  const width = Math.min(BUNDLE_ENTRIES, size - bundle * BUNDLE_ENTRIES);
  let rest = Math.floor(bundle / 1000);
  let path = String(bundle % 1000).padStart(3, '0');
  while (rest > 0) {
    path = `x${String(rest % 1000).padStart(3, '0')}/${path}`;
    rest = Math.floor(rest / 1000);
  }
  return `entries/${path}${width < BUNDLE_ENTRIES ? `.p/${width}` : ''}`;
}

/** The leaf at `place` of a bundle; null when the bundle is cut short. */
export function entryAt(bundle: Uint8Array, place: number): Uint8Array | null {
  let at = 0;
  for (let i = 0; ; i++) {
    if (at + 2 > bundle.length) return null;
    const length = (bundle[at]! << 8) | bundle[at + 1]!;
    at += 2;
    if (at + length > bundle.length) return null;
    if (i === place) return bundle.slice(at, at + length);
    at += length;
  }
}
