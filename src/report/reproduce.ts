// The one line that runs a check again, for a POSIX shell.

import { plain } from './escape.js';
import type { Report } from './types.js';

const COMMAND_LIMIT = 2000;
/** What `inspect` takes of the arguments of `check`; the rest is about kernels. */
const INSPECT = ['--config', '--fail-on'];

/**
 * `fused-compat check` with the report's configuration and as many of the models as a line may have. What is not shown as it is, such as a
 * name with invisible signs, could not be pasted: such models are left out, and with such arguments there is no line.
 * @returns the line and how many of the models it names; null: there is none
 */
export function reproduceLine({ policy, reproduce }: Report, ids: readonly string[]): { command: string; models: number } | null {
  if (!reproduce.every(isPlain)) return null;
  const options = policy === 'static' ? pairs(reproduce, INSPECT) : withPolicy(reproduce, policy);
  const words = ['fused-compat', policy === 'static' ? 'inspect' : 'check', ...options];
  const usable = ids.filter((id) => id !== '' && isPlain(id));
  const dash = usable.some((id) => id.startsWith('-')) ? ['--'] : [];
  let command = [...words, ...dash].map(shellWord).join(' ');
  let models = 0;
  for (const id of usable) {
    const longer = `${command} ${shellWord(id)}`;
    if (longer.length > COMMAND_LIMIT) break;
    command = longer;
    models += 1;
  }
  return models === 0 ? null : { command, models };
}

function withPolicy(given: readonly string[], policy: string): readonly string[] {
  return given.includes('--policy') || given.includes('--config') ? given : ['--policy', policy, ...given];
}

/** The options among `names`, each with its value. */
function pairs(given: readonly string[], names: readonly string[]): string[] {
  return given.flatMap((word, index) => (names.includes(word) ? [word, given[index + 1] ?? ''] : []));
}

function isPlain(text: string): boolean {
  return plain(text, COMMAND_LIMIT) === text;
}

function shellWord(text: string): string {
  return /^[\w./@:,+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
