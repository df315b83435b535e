// From a configuration file plus Action inputs or command-line options (these win) to one complete Config.

import { dirname, resolve } from 'node:path';
import { UsageError } from '../errors.js';
import { argumentsOf, splitList } from './arguments.js';
import { outsidePaths, type Confinement } from './confine.js';
import { parsePrompts, readConfigFile, readPromptsFile } from './file.js';
import type { ConfigFile } from './file.js';
import { applySchema, isMapping, normaliseKeys, show, typeOfKey } from './validate.js';
import type { NamePlace, RawConfig } from './validate.js';
import type { Verdict } from '../report/types.js';
import type { AllowRule, Config, ModelRef, Prompt } from './types.js';

export interface LoadOptions {
  /** Configuration file; undefined or '': fused-compat.yml (or .yaml) in `cwd`, if there is one. */
  file?: string | undefined;
  /**
   * Options or inputs by their kebab-case name. Text is read as the key's type, lists may be separated by commas or newlines;
   * undefined, '' and [] mean "not given", because an Action cannot tell an empty input from none.
   */
  overrides?: Record<string, unknown>;
  cwd: string;
  /** The configuration file, where it was read already; null: there is none. */
  source?: ConfigFile | null;
  /** For a file that a stranger may have written: what it must not lead out of. */
  confine?: Confinement;
  /** How messages name an override; default `--key`. */
  nameOverride?: (key: string) => string;
}

/** Overrides of these keys are lists; a command line or an Action input gives them as text. */
const LIST_KEYS = new Set(['models', 'fail-on', 'runs-on']);

/** Pairs that contradict each other when the first is above the second. */
const ORDERED: [group: 'static' | 'numeric', low: string, high: string][] = [
  ['static', 'ratio-warn', 'ratio-fail'],
  ['static', 'extreme-share-warn', 'extreme-share-fail'],
  ['static', 'max-weight-warn', 'max-weight-fail'],
  ['static', 'score-incompatible', 'score-warning'],
  ['numeric', 'pass-ratio', 'warn-ratio'],
];

/**
 * The complete configuration of a run.
 * @throws UsageError with one line per problem, each naming the file or option, the key, the value and what is allowed
 */
export async function loadConfig(options: LoadOptions): Promise<Config> {
  const { file, overrides = {}, cwd, nameOverride = (key) => `--${key}`, confine } = options;
  const source = options.source === undefined ? await readConfigFile(file, cwd) : options.source;
  const problems: string[] = [];
  const inFile: NamePlace = (path) => [source?.name, dotted(path)].filter((part) => part !== undefined && part !== '').join(': ');
  const fromFile = fileKeys(source, inFile, problems);
  const given = normaliseKeys(coerceOverrides(overrides, nameOverride), ([key]) => nameOverride(key ?? ''), problems);
  const place: NamePlace = (path) => {
    const [key, ...rest] = path;
    if (key === undefined || !(key in given)) return inFile(path);
    return nameOverride(key) + dotted(LIST_KEYS.has(key) ? [] : rest, true);
  };

  const raw = withListForms({ ...fromFile, ...given });
  const folderOf = (key: string): string => (key in given || !(key in raw) || source === null ? cwd : dirname(source.path));
  const folders = {
    models: folderOf('models'),
    kernels: folderOf('kernels'),
    output: folderOf('output'),
    prompts: folderOf('prompts'),
    baseline: folderOf('baseline'),
  };
  if (confine !== undefined) {
    const written = new Set(Object.keys(fromFile).filter((key) => !(key in given)));
    const outside = await outsidePaths(raw, written, folders, confine, place);
    // A file of prompts would be read next.
    if (outside.length > 0) throw new UsageError([...problems, ...outside].join('\n'));
  }
  if (typeof raw['prompts'] === 'string' && raw['prompts'] !== '')
    raw['prompts'] = await promptsFromFile(raw['prompts'], folders.prompts, problems);

  problems.push(...applySchema(raw, place));
  if (raw['models'] === undefined) problems.push(noModels(source));
  if (problems.length > 0) throw new UsageError(problems.join('\n'));
  const layers = parseLayers(raw['layers'], place(['layers']), problems);
  problems.push(...contradictions(raw, place));
  if (problems.length > 0) throw new UsageError(problems.join('\n'));
  // What a report names is pasted beside --config, from wherever: a model of the file's list is the same one there.
  const listed = withListForms({ models: fromFile['models'] })['models'] as string[] | undefined;
  const folderOfModel = (id: string): string => (source !== null && listed?.includes(id) === true ? dirname(source.path) : folders.models);
  return toConfig(raw, layers, { ...folders, folderOfModel }, argumentsOf(source, given, cwd));
}

/**
 * The verdicts that fail the gate, from an option or input alone: where reports are joined no configuration file is read.
 * @param name how messages name it
 * @throws UsageError
 */
export function loadFailOn(text: string, name: string): Verdict[] {
  const raw = withListForms({ 'fail-on': text });
  const problems = applySchema(raw, () => name);
  if (problems.length > 0) throw new UsageError(problems.join('\n'));
  return raw['fail-on'] === 'never' ? [] : [...new Set(raw['fail-on'] as Verdict[])];
}

/** The keys of a file in the spelling of the schema, for `Confinement`; what is wrong with it is said where it is loaded. */
export function keysOf(source: ConfigFile | null): RawConfig {
  return source !== null && isMapping(source.content) ? normaliseKeys(source.content, () => '', []) : {};
}

function fileKeys(source: ConfigFile | null, place: NamePlace, problems: string[]): RawConfig {
  if (source === null) return {};
  if (isMapping(source.content)) return normaliseKeys(source.content, place, problems);
  throw new UsageError(`${source.name}: must be a mapping of keys to values, but is ${show(source.content)}`);
}

function noModels(source: ConfigFile | null): string {
  const where = source === null ? 'there is no fused-compat.yml here' : `${source.name} has no models`;
  return `models: no model to check: ${where}, and none was given; name at least one model`;
}

/** An override that was not given is dropped; text becomes what the key's type asks for, where it can. */
function coerceOverrides(overrides: Record<string, unknown>, name: (key: string) => string): RawConfig {
  const result: RawConfig = {};
  for (const [key, value] of Object.entries(overrides)) {
    if (value === undefined || value === '' || (Array.isArray(value) && value.length === 0)) continue;
    result[key] = typeof value === 'string' ? coerceText(key.replaceAll('_', '-'), value.trim(), name) : value;
  }
  return result;
}

function coerceText(key: string, text: string, name: (key: string) => string): unknown {
  const type = typeOfKey(key);
  if (type === 'boolean' && /^(true|True|TRUE)$/.test(text)) return true;
  if (type === 'boolean' && /^(false|False|FALSE)$/.test(text)) return false;
  if (type === 'integer' && /^-?\d{1,15}$/.test(text)) return Number(text);
  if (key === 'prompts' && text.startsWith('[') && text.endsWith(']')) return parsePrompts(text, name(key));
  return key === 'models' ? splitList(text) : text;
}

/** The list a user meant by one word or a comma list, so that the schema judges each entry by itself. */
function withListForms(raw: RawConfig): RawConfig {
  if (typeof raw['models'] === 'string' && raw['models'] !== '') raw['models'] = [raw['models']];
  if (typeof raw['runs-on'] === 'string' && /[,\n]/.test(raw['runs-on'])) raw['runs-on'] = splitList(raw['runs-on']);
  const failOn = raw['fail-on'];
  if (typeof failOn === 'string' && failOn.trim().toLowerCase() === 'never') raw['fail-on'] = 'never';
  else if (typeof failOn === 'string' && failOn.trim() !== '') raw['fail-on'] = splitList(failOn).map(verdictName);
  else if (Array.isArray(failOn)) raw['fail-on'] = failOn.map((name: unknown) => (typeof name === 'string' ? verdictName(name) : name));
  return raw;
}

function verdictName(written: string): string {
  return written.trim().toUpperCase().replaceAll(/[- ]/g, '_');
}

async function promptsFromFile(name: string, folder: string, problems: string[]): Promise<unknown> {
  try {
    const prompts = await readPromptsFile(resolve(folder, name), name);
    return prompts.map((prompt, index) =>
      isMapping(prompt) ? normaliseKeys(prompt, (path) => `${name}[${index}]: ${dotted(path)}`, problems) : prompt,
    );
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    problems.push(error.message);
    return null;
  }
}

/** `all`, or the sorted layer numbers that `0,5,10-12` or its list form names. */
function parseLayers(value: unknown, name: string, problems: string[]): 'all' | number[] {
  const parts = Array.isArray(value) ? value.map(String) : String(value).split(',');
  if (parts.length === 1 && parts[0]?.trim() === 'all') return 'all';
  const layers = new Set<number>();
  for (const part of parts) {
    const [first, last] = part.split('-').map(Number);
    if (first === undefined) continue;
    if (last !== undefined && last < first) problems.push(`${name}: ${show(part.trim())} runs backwards; allowed: the lower layer first`);
    for (let layer = first; layer <= (last ?? first); layer++) layers.add(layer);
  }
  return [...layers].sort((a, b) => a - b);
}

function contradictions(raw: RawConfig, place: NamePlace): string[] {
  const problems: string[] = [];
  for (const [group, low, high] of ORDERED) {
    const values = raw[group] as Record<string, number>;
    const [lower, upper] = [values[low], values[high]];
    if (lower === undefined || upper === undefined || lower <= upper) continue;
    problems.push(`${place([group, low])}: ${lower} is above ${group}.${high} (${upper}); allowed: at most ${upper}`);
  }
  const scoreWeights = ['ratio-weight', 'extreme-layers-weight', 'max-weight-weight'].map((key) =>
    Number((raw['static'] as RawConfig)[key]),
  );
  const sum = scoreWeights.reduce((total, weight) => total + weight, 0);
  if (Math.abs(sum - 1) > 1e-9)
    problems.push(`${place(['static'])}: ratio-weight, extreme-layers-weight and max-weight-weight add up to ${sum}; allowed: 1`);
  if (raw['require-gpu'] === true && raw['execution-provider'] === 'cpu') {
    problems.push(`${place(['require-gpu'])}: true contradicts execution-provider cpu; allowed: webgpu, cuda or auto with it`);
  }
  for (const [index, { until }] of (raw['allow'] as AllowRule[]).entries())
    if (!isDay(until)) problems.push(`${place(['allow', String(index), 'until'])}: ${show(until)} is no day; allowed: such as 2026-12-31`);
  return problems;
}

/** JavaScript takes February 30 for March 2. */
function isDay(text: string): boolean {
  const time = Date.parse(`${text}T00:00:00Z`);
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(text);
}

function toConfig(
  raw: RawConfig,
  layers: 'all' | number[],
  folders: Record<'kernels' | 'output' | 'baseline', string> & { folderOfModel: (id: string) => string },
  reproduced: string[],
): Config {
  // The schema has vouched for every type; only the spelling of keys and the resolved values differ from it.
  const checked = snakeKeys(raw) as Omit<Config, 'models' | 'prompts' | 'fail_on' | 'allow' | 'reproduce'> & {
    models: string[];
    allow: (Omit<AllowRule, 'kernel'> & { kernel?: string })[];
    prompts: (string | Prompt)[] | null;
    fail_on: Config['fail_on'] | 'never';
  };
  return {
    ...checked,
    models: modelRefs(checked.models, folders.folderOfModel),
    kernels: checked.kernels === null ? null : resolve(folders.kernels, checked.kernels),
    output: resolve(folders.output, checked.output),
    baseline: checked.baseline === null ? null : resolve(folders.baseline, checked.baseline),
    allow: checked.allow.map((rule) => ({ ...rule, kernel: rule.kernel ?? null })),
    reproduce: reproduced,
    fail_on: checked.fail_on === 'never' ? [] : [...new Set(checked.fail_on)],
    prompts: checked.prompts?.map((prompt) => (typeof prompt === 'string' ? { text: prompt } : prompt)) ?? null,
    layers,
  };
}

/** A folder named twice is checked once. */
function modelRefs(ids: string[], folderOf: (id: string) => string): ModelRef[] {
  const byPath = new Map<string, ModelRef>();
  for (const id of ids) {
    const path = resolve(folderOf(id), id);
    if (!byPath.has(path)) byPath.set(path, { id, path });
  }
  return [...byPath.values()];
}

function snakeKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(snakeKeys);
  if (!isMapping(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key.replaceAll('-', '_'), snakeKeys(entry)]));
}

/** `numeric.pass-ratio`, `prompts[2].text`. */
function dotted(path: readonly string[], inside = false): string {
  const text = path.map((part) => (/^\d+$/.test(part) ? `[${part}]` : `.${part}`)).join('');
  return inside ? text : text.replace(/^\./, '');
}
