// Foreign text (model ids, tensor names, messages) made harmless: for a terminal, and for GitHub's Markdown. What it is put into is the caller's business.

/** Longest name or message that is shown; what is longer is shortened in its middle. */
const NAME_LIMIT = 80;
const MESSAGE_LIMIT = 800;
const ZERO_WIDTH_SPACE = '\u200b';

/**
 * One line without anything a terminal or a browser would obey: line breaks become spaces; control, bidirectional and invisible
 * characters become U+FFFD; a pile of combining marks is cut to four.
 */
export function plain(text: string, limit = MESSAGE_LIMIT): string {
  const line = text
    .replace(/[\t\n\v\f\r\u0085\u2028\u2029]+/g, ' ')
    .replace(/\p{C}/gu, '\ufffd')
    .replace(/(\p{M}{4})\p{M}+/gu, '$1');
  return shorten(line, limit);
}

/** A name for a terminal: `plain`, and short enough for a table. */
export function plainName(text: string, limit = NAME_LIMIT): string {
  return plain(text, limit);
}

/** Keeps both ends, because a path differs at its end and a message starts with what matters. */
function shorten(text: string, limit: number): string {
  if (text.length <= limit) return text;
  const characters = [...text];
  if (characters.length <= limit) return text;
  const tail = Math.floor(limit / 3);
  return `${characters.slice(0, limit - tail - 1).join('')}…${characters.slice(-tail).join('')}`;
}

/**
 * A foreign name as Markdown code: nothing in it is Markdown, a mention or an issue reference, also inside a table.
 * A code span cannot hold a backtick or, in a table, a pipe safely (`\\|` ends the cell); then it is HTML with every sign an entity.
 */
export function code(text: string, limit = NAME_LIMIT): string {
  const line = plain(text, limit);
  if (line.trim() === '') return '<code>&nbsp;</code>';
  // `##[` is a command to a GitHub runner, wherever in its log it stands.
  return /[`|\\]|##\[/.test(line) ? `<code>${line.replace(/[!-/:-@[-`{-~]/g, entity)}</code>` : `\`${line}\``;
}

/** Foreign text inside an HTML element such as `<summary>`, where Markdown is not parsed. */
export function html(text: string, limit = NAME_LIMIT): string {
  return neutralReferences(plain(text, limit).replace(/[&<>"'`[]/g, entity));
}

/**
 * A message as Markdown text, in a list item or a table cell: shows as it was written. Only `simple code spans` keep their meaning;
 * no HTML, link, image, emphasis, mention, issue reference or automatic link comes of it.
 */
export function prose(text: string, limit = MESSAGE_LIMIT): string {
  const parts = plain(text, limit)
    .trim()
    .split(/(`[\w .:,/(){}[\]<>=-]+`)/);
  const escaped = parts.map((part, index) => (index % 2 === 1 ? part : escapeInline(part))).join('');
  return escaped.replace(/^[-+=#:]/, entity).replace(/^(\d+)([.)])/, (_, digits: string, dot: string) => digits + entity(dot));
}

function escapeInline(text: string): string {
  const signs = text.replace(/[&<>|`*[\]~$\\]/g, entity).replace(/(?<![\p{L}\p{N}])_|_(?![\p{L}\p{N}])/gu, '&#95;');
  return neutralReferences(signs);
}

/** GitHub looks for mentions, issues and addresses in the rendered text, so an entity would not hide them; a zero-width space does. */
function neutralReferences(text: string): string {
  return text
    .replaceAll('@', `@${ZERO_WIDTH_SPACE}`)
    .replace(/(?<!&)#(?=\d)/g, `#${ZERO_WIDTH_SPACE}`)
    .replace(/\bGH-(?=\d)/gi, `$&${ZERO_WIDTH_SPACE}`)
    .replaceAll('://', `:${ZERO_WIDTH_SPACE}//`)
    .replace(/\bwww\./gi, (match) => `${match.slice(0, 3)}${ZERO_WIDTH_SPACE}.`);
}

function entity(sign: string): string {
  const named: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;' };
  return named[sign] ?? `&#${sign.charCodeAt(0)};`;
}
