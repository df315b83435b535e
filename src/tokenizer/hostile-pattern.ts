// Tells regular expressions that can run for hours from those that tokenizers use. Only a cheap first sieve: the caller's time limit is the guard.

/** Longest pattern in use (o200k_base, GPT-4o) has some 400 characters. */
const MAX_PATTERN_LENGTH = 10_000;
const UNBOUNDED = /^(?:[*+]|\{\d*,\})/;

/**
 * Why a pattern is refused, or null. A group that repeats without bound and holds a part that does so too, as in `(a+)+$`, needs time
 * exponential in the text (measured: 37 s for 28 characters); no tokenizer in use nests repetitions.
 */
export function hostilePattern(pattern: string): string | null {
  if (pattern.length > MAX_PATTERN_LENGTH) return `it has ${pattern.length} characters; at most ${MAX_PATTERN_LENGTH} are accepted`;
  // One entry per open group: whether something in it repeats without bound.
  const groups: boolean[] = [false];
  let classDepth = 0;
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern[at];
    if (character === '\\') at++;
    else if (character === '[') classDepth++;
    else if (character === ']' && classDepth > 0) classDepth--;
    else if (classDepth > 0) continue;
    else if (character === '(') groups.push(false);
    else if (character === ')' && groups.length > 1) {
      const repeats = groups.pop() === true;
      const unbounded = UNBOUNDED.test(pattern.slice(at + 1, at + 12));
      if (repeats && unbounded) return 'it repeats a group that itself repeats without bound, so that matching can take exponential time';
      if (repeats || unbounded) groups[groups.length - 1] = true;
    } else if (character !== undefined && UNBOUNDED.test(pattern.slice(at, at + 12))) groups[groups.length - 1] = true;
  }
  return null;
}
