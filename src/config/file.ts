// Reads the files a configuration is made of: fused-compat.yml and prompt files. What their keys mean is validate.ts's business.

import { open, stat } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { LineCounter, parseDocument } from 'yaml';
import { UsageError } from '../errors.js';

export const CONFIG_NAMES = ['fused-compat.yml', 'fused-compat.yaml'];
const CONFIG_LIMIT = 1 << 20;
/** Room for a few hundred prompts of a hundred thousand token ids each would be absurd; 8 MiB is a million ids. */
const PROMPTS_LIMIT = 8 << 20;
const YAML_PROBLEMS_SHOWN = 10;

export interface ConfigFile {
  /** As the user named it, for messages. */
  name: string;
  path: string;
  content: unknown;
}

/**
 * The configuration file: the one named, or fused-compat.yml (or .yaml) in `cwd` if there is one.
 * @throws UsageError when a named file is missing, or the file is too large, not UTF-8, or not plain YAML
 */
export async function readConfigFile(file: string | undefined, cwd: string): Promise<ConfigFile | null> {
  const name = configName(file, cwd);
  if (name === undefined) return null;
  const path = resolve(cwd, name);
  return parseConfigFile(await readText(path, name, CONFIG_LIMIT, 'configuration file'), name, path);
}

/** How the configuration file is called that `readConfigFile` would read; undefined: there is none. */
export function configName(file: string | undefined, cwd: string): string | undefined {
  return file === undefined || file === '' ? defaultName(cwd) : file;
}

/**
 * A configuration file whose text came from elsewhere.
 * @throws UsageError when it is not plain YAML
 */
export function parseConfigFile(text: string, name: string, path: string): ConfigFile {
  return { name, path, content: parseYaml(text, name) ?? {} };
}

function defaultName(cwd: string): string | undefined {
  const found = CONFIG_NAMES.filter((name) => existsSync(join(cwd, name)));
  if (found.length > 1) throw new UsageError(`both ${found.join(' and ')} exist: keep one, or name the one to use`);
  return found[0];
}

/** Plain data only: an alias bomb, a duplicate key or a tag such as !!js/function is an error, not a surprise. */
function parseYaml(text: string, name: string): unknown {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    version: '1.2',
    schema: 'core',
    uniqueKeys: true,
    stringKeys: true,
    prettyErrors: false,
    lineCounter: lines,
  });
  const problems = [...document.errors, ...document.warnings];
  if (problems.length > 0) {
    const shown = problems.slice(0, YAML_PROBLEMS_SHOWN).map((problem) => {
      const { line, col } = lines.linePos(problem.pos[0]);
      return `${name}:${line}:${col}: ${problem.message}`;
    });
    throw new UsageError(shown.join('\n'));
  }
  try {
    return document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    throw new UsageError(`${name}: ${messageOf(error)}`);
  }
}

/**
 * The raw prompts of a .txt file (one per line; blank lines are skipped) or a .json file (a list).
 * @throws UsageError when the file is missing, too large, not UTF-8 or of another kind
 */
export async function readPromptsFile(path: string, name: string): Promise<unknown[]> {
  const json = /\.json$/i.test(name);
  if (!json && !/\.txt$/i.test(name)) {
    throw new UsageError(
      `prompts: ${JSON.stringify(name)} must be a .txt file (one prompt per line) or a .json file (a list); prompts themselves go into a list, such as '["Hello"]'`,
    );
  }
  const text = await readText(path, name, PROMPTS_LIMIT, 'prompts file');
  const prompts = json ? parsePrompts(text, name) : text.split(/\r?\n/).filter((line) => line.trim() !== '');
  if (prompts.length === 0) throw new UsageError(`${name}: holds no prompt`);
  return prompts;
}

/**
 * The raw prompts of a JSON list.
 * @param name where it stands, for messages
 * @throws UsageError when it is none
 */
export function parsePrompts(text: string, name: string): unknown[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new UsageError(`${name}: is not JSON (${messageOf(error)})`);
  }
  if (!Array.isArray(value)) throw new UsageError(`${name}: must be a JSON list of texts, of {"text": ...} or of {"input_ids": [...]}`);
  return value;
}

async function readText(path: string, name: string, limit: number, what: string): Promise<string> {
  const bytes = await readBytes(path, name, limit, what);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new UsageError(`${name}: the ${what} is not UTF-8 text`);
  }
}

/** Regular files only, and never more than the limit: a device or pipe would block or never end. */
async function readBytes(path: string, name: string, limit: number, what: string): Promise<Buffer> {
  try {
    if (!(await stat(path)).isFile()) throw new UsageError(`${name}: the ${what} is not a regular file`);
    const handle = await open(path, 'r');
    try {
      const { size } = await handle.stat();
      if (size > limit) throw new UsageError(`${name}: the ${what} has ${size} bytes; at most ${limit} are read`);
      const bytes = Buffer.alloc(size);
      const { bytesRead } = await handle.read(bytes, 0, size, 0);
      return bytes.subarray(0, bytesRead);
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (error instanceof UsageError) throw error;
    const missing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    throw new UsageError(
      missing ? `${name}: the ${what} does not exist (looked at ${path})` : `${name}: the ${what} cannot be read (${messageOf(error)})`,
    );
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
