// The greedy texts of one model as a folded list of Markdown. What models write is foreign text: all of it goes through code().

import { code } from './escape.js';
import { count, magnitude } from './numbers.js';
import type { Generation } from './types.js';

/** Signs of a text that are shown; the end of a prompt says what it is about as well as all of it. */
const TEXT_LIMIT = 400;
const PROMPT_TAIL = 60;

/** `Greedy text after 2 prompts: the same after 1, parts at a near tie after 1`. */
export function generationSummary(entries: readonly Generation[]): string {
  const kinds = entries.map(kindOf);
  const counts = [...new Set(kinds)].map((kind) => {
    const number = kinds.filter((each) => each === kind).length;
    return number === entries.length ? kind : `${kind} after ${number}`;
  });
  return `Greedy text after ${count(entries.length, 'prompt')}: ${counts.join(', ')}`;
}

function kindOf({ coherent, first_divergence: parts }: Generation): string {
  if (coherent === false) return 'incoherent';
  if (coherent === null) return 'could not be judged';
  if (parts === null) return 'the same';
  return parts.near_tie ? 'parts at a near tie' : 'parts, and is coherent';
}

/** One list item per prompt. */
export function generationList(entries: readonly Generation[]): string {
  return entries.flatMap(generationItem).join('\n');
}

function generationItem(entry: Generation): string[] {
  const { prompt, first_divergence: parts, text_standard, text_fused, nll_standard, nll_fused, loops, detail } = entry;
  const after = `- after ${code(tail(prompt))}`;
  const why = detail === null ? '' : `: ${code(detail, TEXT_LIMIT)}`;
  const shown = (name: string, text: string, nll: number | null, loop: boolean) =>
    `  - ${name}: ${text === '' ? 'nothing' : code(text, TEXT_LIMIT)} (NLL ${magnitude(nll)}${loop ? ', ends in a loop' : ''})`;
  if (text_standard === text_fused && detail === null) {
    return [`${after}: the same text`, shown('both', text_fused, nll_fused, loops.fused)];
  }
  const where = parts === null ? '' : `, at new token ${parts.position + 1} (margin ${magnitude(parts.margin)})`;
  return [
    `${after}: ${kindOf(entry)}${where}${why}`,
    shown('standard', text_standard, nll_standard, loops.standard),
    shown('fused', text_fused, nll_fused, loops.fused),
  ];
}

function tail(prompt: string): string {
  const signs = [...prompt];
  return signs.length <= PROMPT_TAIL ? prompt : `…${signs.slice(-PROMPT_TAIL).join('')}`;
}
