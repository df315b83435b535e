// Names that come from outside: which file names stay inside a model, and how outside text is shown in a message.
// Escaping for Markdown, HTML and workflow commands is not done here: that belongs to whoever writes them.

const SHOWN_CHARACTERS = 160;

/**
 * Outside text made safe for one line of a message: control, format (bidirectional overrides too), line-separator and lone surrogate
 * characters become `\u{...}`, and anything over 160 characters is cut.
 */
export function printable(text: string): string {
  const cut = text.length > SHOWN_CHARACTERS ? `${text.slice(0, SHOWN_CHARACTERS)}…` : text;
  return cut.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`);
}

/** `printable` in double quotes, with quotes and backslashes escaped. */
export function quote(text: string): string {
  return `"${printable(text.replace(/["\\]/g, '\\$&'))}"`;
}

/**
 * Why a relative file name must not be opened, as the end of a sentence that starts with the name; `null` when it may.
 * The rules of all systems hold on every system, so that a model that is refused on Windows is refused on Linux too (CVE-2026-15717).
 */
export function fileNameProblem(name: string): string | null {
  if (name === '') return 'is empty';
  if (name.includes('\0')) return 'holds a NUL character';
  if (name.includes('\\')) return 'holds a backslash';
  if (name.startsWith('/')) return 'is an absolute path';
  if (/^[a-z][a-z0-9+.-]*:/i.test(name)) return 'starts with a drive letter or a URL scheme';
  // A mirror would decode these on the way: `%2e%2e/` is `../`.
  if (/%(2e|2f|5c|00)/i.test(name)) return 'holds a percent-encoded dot, slash or NUL';
  const segments = name.split('/');
  if (segments.includes('..')) return 'leaves the model through ".."';
  if (segments.includes('') || segments.includes('.')) return 'has an empty or "." segment';
  return null;
}
