// How much is said about each model where the whole has a limit in bytes. What is said at each level is the renderer's business.

/** full: everything; reasons: without the tables; brief: one line; none: the row of the table is all. */
export type Detail = 'full' | 'reasons' | 'brief' | 'none';

export interface Part {
  readonly failing: boolean;
  /** Its text at a level. */
  readonly text: (detail: Exclude<Detail, 'none'>) => string;
}

/** Between two blocks of Markdown stands an empty line. */
const SEPARATOR = 2;

/** Shares of the room: so that the first models have their reasons, and one its tables, even where all lines together would take it all. */
const BRIEF_SHARE = 0.4;
const REASONS_SHARE = 0.6;

/**
 * The level of each part, in their order, so that their texts together take at most `room` bytes (UTF-8). What fails goes first: a line for
 * each, then reasons for the first of them, then everything; what does not fail is said only if all that fails is said in full.
 */
export function levelsThatFit(parts: readonly Part[], room: number): Detail[] {
  const levels: Detail[] = parts.map(() => 'none');
  let used = 0;
  /** Raises parts one after the other while they stay within `limit`; false as soon as one does not. */
  const raise = (failing: boolean, detail: Exclude<Detail, 'none'>, limit: number): boolean => {
    for (const [index, part] of parts.entries()) {
      if (part.failing !== failing) continue;
      const before = levels[index] ?? 'none';
      const more = sizeOf(part.text(detail)) - (before === 'none' ? 0 : sizeOf(part.text(before)));
      if (used + more > limit) return false;
      used += more;
      levels[index] = detail;
    }
    return true;
  };
  raise(true, 'brief', room * BRIEF_SHARE);
  raise(true, 'reasons', room * REASONS_SHARE);
  if (raise(true, 'full', room)) raise(false, 'full', room);
  return levels;
}

function sizeOf(text: string): number {
  return Buffer.byteLength(text) + SEPARATOR;
}
