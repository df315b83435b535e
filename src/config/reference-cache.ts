// Which folder results of the reference are kept in, in the words of the user and the environment. What lies in it is kept-folder.ts's.

import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';

/**
 * @param given a folder, `none`, or `auto`: `fused-compat/reference` in the user's cache folder
 * @returns an absolute path; null: nothing is kept
 */
export function keptRoot(given: string, env: Readonly<Record<string, string | undefined>>, cwd: string): string | null {
  if (given === 'none') return null;
  if (given !== 'auto') return resolve(cwd, given);
  const { FUSED_COMPAT_CACHE: own = '', XDG_CACHE_HOME: xdg = '', HOME: home = '' } = env;
  if (own.trim() !== '') return join(resolve(cwd, own.trim()), 'reference');
  // The XDG specification: a relative path is ignored.
  return join(isAbsolute(xdg) ? xdg : join(home === '' ? homedir() : home, '.cache'), 'fused-compat', 'reference');
}
