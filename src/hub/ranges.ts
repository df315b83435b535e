// Which reads of a file are worth one request together.

export interface Range {
  readonly start: number;
  /** Exclusive. */
  readonly end: number;
}

/** Headers of one more request are about as many bytes as this. */
const FREE_GAP = 4 * 1024;
const LARGEST_GAP = 1024 * 1024;
/** So that a merged range can be held, and its bytes handed out while others still come. */
const LARGEST_MERGED = 64 * 1024 * 1024;

export interface Merged<Member> {
  readonly range: Range;
  readonly members: readonly Member[];
}

/**
 * Joins reads whose gap costs less than a request: under 4 KiB, or under an eighth of the bytes wanted on both sides and 1 MiB.
 * Small norm tensors between large matrices so stay apart, and neighbouring large tensors come in one piece.
 */
export function mergeRanges<Member extends { readonly range: Range }>(reads: readonly Member[]): Merged<Member>[] {
  const sorted = [...reads].sort((a, b) => a.range.start - b.range.start || a.range.end - b.range.end);
  const merged: { range: Range; members: Member[] }[] = [];
  let wanted = 0;
  for (const read of sorted) {
    const last = merged.at(-1);
    const length = read.range.end - read.range.start;
    if (last !== undefined) {
      const gap = read.range.start - last.range.end;
      const allowed = Math.min(LARGEST_GAP, Math.max(FREE_GAP, Math.min(wanted, length) / 8));
      const end = Math.max(last.range.end, read.range.end);
      if (gap <= allowed && (gap < 0 || end - last.range.start <= LARGEST_MERGED)) {
        last.range = { start: last.range.start, end };
        last.members.push(read);
        wanted += length;
        continue;
      }
    }
    merged.push({ range: read.range, members: [read] });
    wanted = length;
  }
  return merged;
}
