// A model in GGUF: one file or a split set, and what its metadata says in the words of config.json. The format itself is in gguf.ts.

import { ModelError } from '../errors.js';
import { quote } from '../hub/names.js';
import type { ByteSource } from '../hub/source.js';
import type { GgufFile, GgufValue } from './gguf.js';
import { readGguf } from './gguf.js';
import { SHARD_LIMIT } from './shards.js';

/** As `llama-gguf-split` names its parts. */
const PART = /^(.*)-(\d{5})-of-(\d{5})\.gguf$/;
/** Beside a model, the vision or audio tower that belongs to it. */
const TOWER = /^mmproj/i;

export interface GgufModel {
  readonly files: readonly GgufFile[];
  /** What config.json would say, as far as the metadata knows. */
  readonly config: Record<string, unknown>;
}

/**
 * The GGUF model of a folder: the name of its file, or of a part of its split set; null when there is none.
 * @throws ModelError `weights_invalid` when there are several
 */
export function onlyGguf(names: readonly string[]): string | null {
  const found = names.filter((name) => name.endsWith('.gguf') && !TOWER.test(name));
  const models = new Set(found.map((name) => PART.exec(name)?.[1] ?? name));
  if (models.size <= 1) return found[0] ?? null;
  const shown = found.slice(0, 10).map((name) => quote(name));
  throw new ModelError(
    'weights_invalid',
    `Found ${models.size} GGUF models (${shown.join(', ')}${found.length > 10 ? ', …' : ''}). Name the one file that is meant, not the folder; on the Hub as org/name/file.gguf.`,
  );
}

/**
 * Opens a GGUF file, and with a part of a split set all its parts.
 * @param open opens a file of the model; `null` when there is none. The caller closes what it opened.
 * @throws ModelError `weights_invalid`, `tensor_missing` when a part is not there
 */
export async function openGguf(name: string, open: (name: string) => Promise<ByteSource | null>): Promise<GgufModel> {
  const [, stem = '', number = '', total = ''] = PART.exec(name) ?? [];
  const count = Number(total);
  if (count > SHARD_LIMIT) throw invalid(name, `says it is one of ${count} parts; the limit is ${SHARD_LIMIT}.`);
  if (total !== '' && (Number(number) < 1 || Number(number) > count))
    throw invalid(name, `is named as part ${Number(number)} of ${count}.`);
  const names =
    total === '' ? [name] : Array.from({ length: count }, (_, index) => `${stem}-${String(index + 1).padStart(5, '0')}-of-${total}.gguf`);
  const files: GgufFile[] = [];
  for (const [index, part] of names.entries()) {
    const source = await open(part);
    if (source === null) {
      const which = total === '' ? quote(part) : `part ${index + 1} of ${count}, ${quote(part)},`;
      throw new ModelError('tensor_missing', `${which} is missing from the model. Download it: without it the model is not complete.`);
    }
    files.push(await readGguf(source));
  }
  checkParts(files);
  return { files, config: configOf(files) };
}

function checkParts(files: readonly GgufFile[]): void {
  const [first] = files;
  if (first === undefined) return;
  const again = 'The parts do not belong together: download the model again.';
  const seen = new Map<string, string>();
  for (const [index, { source, metadata, tensors }] of files.entries()) {
    const stated = metadata.get('split.count') ?? 1;
    // The first of several, renamed: what it holds is not the whole model.
    const count = files.length;
    if (stated !== count && !(stated === 0 && count === 1)) {
      const problem =
        count === 1
          ? `is one part of a set of ${String(stated)}; keep the names that end in -00001-of-0000N.gguf.`
          : `says split.count ${String(stated)}, its name says ${count}. ${again}`;
      throw invalid(source.name, problem);
    }
    const number = metadata.get('split.no') ?? 0;
    if (number !== index) throw invalid(source.name, `says split.no ${String(number)}, its name says ${index}. ${again}`);
    const architecture = metadata.get('general.architecture');
    if (architecture !== undefined && architecture !== first.metadata.get('general.architecture')) {
      throw invalid(source.name, `is of architecture ${quote(String(architecture))}, ${quote(first.source.name)} is not. ${again}`);
    }
    for (const name of tensors.keys()) {
      const owner = seen.get(name);
      if (owner !== undefined) throw invalid(source.name, `tensor ${quote(name)} is in ${quote(owner)} too. ${again}`);
      seen.set(name, source.name);
    }
  }
  const total = first.metadata.get('split.tensors.count');
  if (files.length > 1 && total !== undefined && total !== seen.size) {
    throw invalid(first.source.name, `says split.tensors.count ${String(total)}, the parts have ${seen.size} tensors. ${again}`);
  }
}

/** Metadata key behind the architecture's name → key of config.json. */
const CONFIG_KEYS: readonly (readonly [string, string])[] = [
  ['block_count', 'num_hidden_layers'],
  ['embedding_length', 'hidden_size'],
  ['attention.head_count', 'num_attention_heads'],
  ['attention.head_count_kv', 'num_key_value_heads'],
  ['attention.key_length', 'head_dim'],
  ['context_length', 'max_position_embeddings'],
];

function configOf(files: readonly GgufFile[]): Record<string, unknown> {
  const metadata: ReadonlyMap<string, GgufValue> = files[0]?.metadata ?? new Map<string, GgufValue>();
  const architecture = metadata.get('general.architecture');
  if (typeof architecture !== 'string') {
    throw invalid(files[0]?.source.name ?? '', 'has no general.architecture: not a language model, or damaged.');
  }
  const config: Record<string, unknown> = { model_type: architecture };
  for (const [from, to] of CONFIG_KEYS) {
    const value = metadata.get(`${architecture}.${from}`);
    // Per-layer arrays say nothing that holds for the whole model.
    if (typeof value === 'number') config[to] = value;
  }
  // Blocks that predict further tokens are counted by block_count, too; they are layers of the file.
  const rotary = metadata.get(`${architecture}.rope.dimension_count`);
  const headDim = config['head_dim'] ?? Number(config['hidden_size']) / Number(config['num_attention_heads']);
  if (typeof rotary === 'number' && typeof headDim === 'number' && rotary < headDim) config['partial_rotary_factor'] = rotary / headDim;
  return config;
}

function invalid(file: string, problem: string): ModelError {
  return new ModelError('weights_invalid', `${file}: ${problem}`);
}
