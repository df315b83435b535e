// One schema decides what a configuration may say; this file runs it and puts its findings into words. Reading files is file.ts's business.

import { Ajv } from 'ajv';
import type { ErrorObject } from 'ajv';
import leven from 'leven';
import schema from '../../schemas/config.schema.json' with { type: 'json' };
import { VERDICTS } from '../report/types.js';

/** A configuration as written: keys in kebab-case, values unchecked. */
export type RawConfig = Record<string, unknown>;
/** Names the place of a key for messages: `fused-compat.yml: numeric.pass-ratio`, `--policy`. */
export type NamePlace = (path: readonly string[]) => string;

const ajv = new Ajv({ allErrors: true, useDefaults: true, verbose: true, allowUnionTypes: true });
const validate = ajv.compile(schema);

/** What is allowed, in words, where the schema's keyword alone would not tell. */
const ALLOWED: Record<string, string> = {
  layers: 'all, or layer numbers and ranges up to 9999, such as 0,5,10-12',
  'fail-on': `${VERDICTS.join(', ')}, or never alone`,
  models: 'a list of models',
  jobs: 'a whole number from 1 to 64',
  prompts: 'a list of prompts, or the path of a .txt or .json file',
  allow: 'a list of {model: ..., kernel: ..., reason: ..., until: YYYY-MM-DD}',
  shards: 'a whole number from 1 to 256',
  'runs-on': "a runner's label, or a list of labels",
  runners: 'a list of {models: [...], runs-on: ...}',
};

/** Lists whose entries may have keys of their own. */
const LISTS_OF_MAPPINGS = new Set(['prompts', 'allow', 'runners']);

const TYPE_WORDS: Record<string, string> = {
  boolean: 'true or false',
  integer: 'a whole number',
  array: 'a list',
  object: 'a mapping',
  string: 'text',
};

/**
 * Rewrites snake_case keys to the kebab-case of the schema, wherever the schema has keys of its own.
 * A key given in both spellings is a problem: which one was meant is unknown.
 */
export function normaliseKeys(value: Record<string, unknown>, place: NamePlace, problems: string[], path: string[] = []): RawConfig {
  const result = Object.create(null) as RawConfig;
  for (const [written, entry] of Object.entries(value)) {
    const key = written.replaceAll('_', '-');
    if (key in result) {
      problems.push(`${place([...path, key])}: is given twice, as ${key} and as ${key.replaceAll('-', '_')}; keep one`);
      continue;
    }
    result[key] = normaliseEntry(entry, place, problems, [...path, key]);
  }
  return result;
}

function normaliseEntry(entry: unknown, place: NamePlace, problems: string[], path: string[]): unknown {
  if (isMapping(entry)) return normaliseKeys(entry, place, problems, path);
  if (!LISTS_OF_MAPPINGS.has(path[0] ?? '') || !Array.isArray(entry) || path.length > 1) return entry;
  return entry.map((item: unknown, index) => (isMapping(item) ? normaliseKeys(item, place, problems, [...path, String(index)]) : item));
}

/** Checks `config` against the schema and fills in the defaults, in place. Returns one line per problem. */
export function applySchema(config: RawConfig, place: NamePlace): string[] {
  validate(config);
  return [...new Set((validate.errors ?? []).map((error) => describe(error, place)))];
}

/** The type the schema wants for a key, where it wants exactly one; that null is allowed as well does not count. */
export function typeOfKey(key: string): string | undefined {
  const property = (schema.properties as Record<string, { type: string | string[] }>)[key];
  const types = [property?.type ?? []].flat().filter((type) => type !== 'null');
  return types.length === 1 ? types[0] : undefined;
}

function describe(error: ErrorObject, place: NamePlace): string {
  const path = error.instancePath.split('/').slice(1);
  const params = error.params as Record<string, unknown>;
  if (error.keyword === 'additionalProperties') return unknownKey(path, String(params['additionalProperty']), error, place);
  return `${place(path)}: ${show(error.data)} ${complaint(error, params, ALLOWED[path[0] ?? ''])}`;
}

function unknownKey(path: string[], key: string, error: ErrorObject, place: NamePlace): string {
  const known = Object.keys((error.parentSchema as { properties?: object } | undefined)?.properties ?? {});
  const near = nearest(key, known);
  const hint = near === undefined ? `known keys: ${known.join(', ')}` : `did you mean ${near}?`;
  return `${place([...path, key])}: is not a known key; ${hint}`;
}

function complaint(error: ErrorObject, params: Record<string, unknown>, allowed: string | undefined): string {
  const limit = String(params['limit']);
  switch (error.keyword) {
    case 'enum': {
      const values = (params['allowedValues'] as string[]).map(String);
      const near = typeof error.data === 'string' ? nearest(error.data, values) : undefined;
      return `is not allowed; allowed: ${allowed ?? values.join(', ')}${near === undefined ? '' : ` (did you mean ${near}?)`}`;
    }
    case 'type':
      return `is not allowed; allowed: ${
        allowed ??
        [params['type']]
          .flat()
          .map((type) => TYPE_WORDS[String(type)] ?? String(type))
          .join(' or ')
      }`;
    case 'minimum':
    case 'maximum':
    case 'exclusiveMinimum':
      return `is out of range; allowed: ${String(params['comparison'])} ${limit}`;
    case 'minItems':
    case 'minLength':
      return `is empty; allowed: ${allowed ?? `at least ${limit}`}`;
    case 'maxItems':
    case 'maxLength':
      return `is too long; allowed: at most ${limit} ${error.keyword === 'maxItems' ? 'entries' : 'characters'}`;
    case 'required':
      return `lacks ${String(params['missingProperty'])}; allowed: ${allowed ?? 'it with a value'}`;
    case 'minProperties':
    case 'maxProperties':
      return 'is not allowed; allowed: exactly one of text, input-ids';
    default:
      return `is not allowed; allowed: ${allowed ?? error.message ?? error.keyword}`;
  }
}

/** The closest known word, if it is close enough to be a slip: a third of its letters, at least two. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  if (word.length > 64) return undefined;
  const ranked = known
    .map((name) => ({ name, distance: leven(word.toLowerCase(), name.toLowerCase()) }))
    .sort((a, b) => a.distance - b.distance);
  const best = ranked[0];
  return best !== undefined && best.distance <= Math.max(2, Math.floor(best.name.length / 3)) ? best.name : undefined;
}

/** A value as the user would recognise it, shortened. */
export function show(value: unknown): string {
  const text = value === undefined ? 'nothing' : JSON.stringify(value);
  return text.length <= 80 ? text : `${text.slice(0, 77)}...`;
}

export function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
