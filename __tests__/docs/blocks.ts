// Every block of code in the Markdown that users read, as a Markdown parser sees it: whatever its fence, its indentation or its language.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, postprocess, preprocess } from 'micromark';
import { REPOSITORY } from '../weights/made-files.js';

/** Not written for users, or not by us. */
const ELSEWHERE = new Set(['node_modules', '.git', 'dist', '__tests__', 'coverage', 'build', 'fused-compat-report']);

export interface Block {
  /** `README.md, line 47`. */
  readonly place: string;
  /** First word after the fence; empty where there is none, as in an indented block. */
  readonly language: string;
  readonly text: string;
}

/** Paths of the Markdown files of the repository, tests apart. */
export function markdownFiles(folder = ''): string[] {
  return readdirSync(join(REPOSITORY, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return ELSEWHERE.has(entry.name) ? [] : markdownFiles(path);
    return /\.(?:md|markdown)$/i.test(entry.name) ? [path] : [];
  });
}

export function blocksIn(path: string): Block[] {
  return blocksOf(readFileSync(join(REPOSITORY, path), 'utf8'), path);
}

/** The blocks of a text; those in lists and quotes without what makes them so. */
export function blocksOf(markdown: string, path: string): Block[] {
  const blocks: Block[] = [];
  let language = '';
  let text = '';
  for (const [event, token, context] of postprocess(
    parse()
      .document()
      .write(preprocess()(markdown, undefined, true)),
  )) {
    const isBlock = token.type === 'codeFenced' || token.type === 'codeIndented';
    if (event === 'enter') {
      if (isBlock) [language, text] = ['', ''];
      else if (token.type === 'codeFencedFenceInfo') language = context.sliceSerialize(token);
      else if (token.type === 'codeFlowValue' || token.type === 'lineEnding') text += context.sliceSerialize(token);
    } else if (isBlock) {
      // A fence's own lines end too.
      const inside = token.type === 'codeFenced' ? text.replace(/^\n/, '') : `${text}\n`;
      blocks.push({ place: `${path}, line ${token.start.line}`, language, text: inside });
    }
  }
  return blocks;
}
