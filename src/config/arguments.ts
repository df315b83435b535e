// A configuration as arguments of `check`, so that a report can say how it is run again. What becomes of them in a shell is the report's business.

import { isAbsolute, relative, sep } from 'node:path';
import { isInside } from './confine.js';
import type { ConfigFile } from './file.js';
import type { RawConfig } from './validate.js';

/** What changes a result. */
const REPRODUCED = ['kernels', 'policy', 'fail-on', 'dtype', 'execution-provider', 'require-gpu', 'prompts', 'layers'];
const PATHS = ['kernels', 'prompts'];

/**
 * The configuration file and what was given beside it. Prompts themselves are a list in JSON, which is also what `--prompts` takes.
 * @param cwd paths below it are relative to it, because it is elsewhere on each machine
 */
export function argumentsOf(source: ConfigFile | null, given: RawConfig, cwd: string): string[] {
  const here = (path: string): string => (isAbsolute(path) && isInside(cwd, path) ? relative(cwd, path).split(sep).join('/') || '.' : path);
  const options = REPRODUCED.flatMap((key) => {
    const value = given[key];
    if (value === true) return [`--${key}`];
    if (key === 'prompts' && Array.isArray(value)) return ['--prompts', asciiWhereHidden(JSON.stringify(value))];
    if (key === 'fail-on' && Array.isArray(value)) return ['--fail-on', value.join(',')];
    if (key === 'fail-on' && typeof value === 'string') return ['--fail-on', splitList(value).join(',')];
    if (PATHS.includes(key) && typeof value === 'string') return [`--${key}`, here(value)];
    return typeof value === 'string' || typeof value === 'number' ? [`--${key}`, String(value)] : [];
  });
  return [...(source === null ? [] : ['--config', here(source.name)]), ...options];
}

/** The entries of a list that was given as text. */
export function splitList(text: string): string[] {
  return text
    .split(/[,\n]/)
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');
}

/** JSON in which every character that is not shown as it is stands as its escape: what is copied from a page is then what was there. */
function asciiWhereHidden(json: string): string {
  const escaped = (text: string): string =>
    Array.from({ length: text.length }, (_, i) => `\\u${text.charCodeAt(i).toString(16).padStart(4, '0')}`).join('');
  return json.replace(/[\p{C}\p{Zl}\p{Zp}]|\p{M}{5,}/gu, escaped);
}
