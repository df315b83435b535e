// The one line that runs a check again, for a POSIX shell.

import { plain } from './escape.js';
import type { Report } from './types.js';

const COMMAND_LIMIT = 2000;
/** Prompts that are longer are named by a file, so that there is room for models. */
const PROMPTS_LIMIT = 1000;
const PROMPTS_FILE = 'input-prompts.json';
/** What `inspect` takes of the arguments of `check`; the rest is about kernels. */
const INSPECT = ['--config', '--fail-on'];

export interface ReproduceLine {
  readonly command: string;
  /** How many of the models it names. */
  readonly models: number;
  /** A file that the line names and who pastes it has to write first: the prompts of `reproduce`, which are too long for a line; null: there is none. */
  readonly prompts_file: string | null;
  /** Whether the line names paths that only the machine of the run has. */
  readonly elsewhere: boolean;
}

/**
 * `fused-compat check` with the report's configuration and as many of the models as a line may have. What is not shown as it is, such as a
 * name with invisible signs, could not be pasted: such models are left out, and with such arguments there is no line (null).
 */
export function reproduceLine({ policy, reproduce }: Report, ids: readonly string[]): ReproduceLine | null {
  const given = policy === 'static' ? pairs(reproduce, INSPECT) : withPolicy(reproduce, policy);
  const long = (word: string, index: number): boolean =>
    given[index - 1] === '--prompts' && word.startsWith('[') && word.length > PROMPTS_LIMIT;
  const options = given.map((word, index) => (long(word, index) ? PROMPTS_FILE : word));
  if (!options.every(isPlain)) return null;
  const words = ['fused-compat', policy === 'static' ? 'inspect' : 'check', ...options];
  const usable = ids.filter((id) => id !== '' && id.length <= COMMAND_LIMIT && isPlain(id));
  const dash = usable.some((id) => id.startsWith('-')) ? ['--'] : [];
  let command = [...words, ...dash].map(shellWord).join(' ');
  let models = 0;
  for (const id of usable) {
    const longer = `${command} ${shellWord(id)}`;
    if (longer.length > COMMAND_LIMIT) break;
    command = longer;
    models += 1;
  }
  if (models === 0) return null;
  const shown = [...options, ...usable.slice(0, models)];
  return { command, models, prompts_file: given.some(long) ? PROMPTS_FILE : null, elsewhere: shown.some(isAbsolutePath) };
}

function withPolicy(given: readonly string[], policy: string): readonly string[] {
  return given.includes('--policy') || given.includes('--config') ? given : ['--policy', policy, ...given];
}

/** The options among `names`, each with its value. */
function pairs(given: readonly string[], names: readonly string[]): string[] {
  return given.flatMap((word, index) => (names.includes(word) ? [word, given[index + 1] ?? ''] : []));
}

/** Whether text is shown as it is, so that it can be copied. */
export function isPlain(text: string): boolean {
  return plain(text, Infinity) === text;
}

/** As any system writes one: who reads a report need not have the machine of its run. */
function isAbsolutePath(text: string): boolean {
  return /^(?:\/|[A-Za-z]:[\\/])/.test(text);
}

function shellWord(text: string): string {
  return /^[\w./@:,+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
