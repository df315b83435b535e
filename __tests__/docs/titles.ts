// Whether a test of that title is there: documents that name tests are held to it.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { REPOSITORY } from '../weights/made-files.js';

/** Whether a describe or a test of this file has that title; "..." stands for the rest of it, as does a number in parentheses. */
export function hasTitle(file: string, title: string): boolean {
  const source = readFileSync(join(REPOSITORY, file), 'utf8');
  const start = title.replace(/ ?\.\.\.$/, '').replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const end = title.endsWith('...') ? '' : '(?: \\([\\d, ]+\\))?\\1';
  return new RegExp(`\\(\\s*(['"\`])${start}${end}`).test(source);
}
