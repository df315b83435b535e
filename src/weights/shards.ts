// Sharded checkpoints: an index (model.safetensors.index.json, pytorch_model.bin.index.json) and its agreement with the shards.
// What is in a shard is read by the reader of its format.

import { ModelError } from '../errors.js';
import { fileNameProblem, quote } from '../hub/names.js';
import type { ByteSource } from '../hub/source.js';
import { describeForeign, FOREIGN_BYTES } from './foreign.js';
import type { Cursor } from './json-scanner.js';
import { expectEnd, readString, scanObject, skipValue, startText } from './json-scanner.js';
import type { WeightFile } from './weight-file.js';

export const INDEX_LIMIT = 250_000_000;
export const SHARD_LIMIT = 10_000;

/** Headers read at the same time: enough to hide the latency of one, few enough for a server's patience. */
const PARALLEL_READS = 8;
const LISTED = 10;

/**
 * Opens the shards that an index names and checks that both tell the same story, tensor by tensor.
 * @param open opens a shard and reads its header; `null` when the model has no such file. The caller closes what it opened.
 * @throws ModelError `weights_invalid`; `tensor_missing` when shards lack tensors that the index lists
 */
export async function readShards(index: ByteSource, open: (name: string) => Promise<WeightFile | null>): Promise<WeightFile[]> {
  const weightMap = await readWeightMap(index);
  const names = [...new Set(weightMap.values())].sort();
  if (names.length > SHARD_LIMIT) throw invalid(index.name, `names ${names.length} shards; the limit is ${SHARD_LIMIT}.`);
  const shards = await mapInOrder(names, async (name, position) => {
    const shard = await open(name);
    if (shard !== null) return shard;
    const which = `shard ${position + 1} of ${names.length}, ${quote(name)},`;
    throw invalid(index.name, `${which} is missing from the model. Download it: without it the model is not complete.`);
  });
  checkAgreement(index.name, weightMap, new Map(shards.map((shard, position) => [names[position] ?? '', shard])));
  return shards;
}

/** Tensor name → shard name, in the order of the index. */
async function readWeightMap(index: ByteSource): Promise<Map<string, string>> {
  const { name, byteLength } = index;
  if (byteLength > INDEX_LIMIT) throw invalid(name, `${byteLength} bytes; the limit for an index is ${INDEX_LIMIT}.`);
  const bytes = await index.slice(0, byteLength);
  const foreign = describeForeign(bytes.subarray(0, FOREIGN_BYTES));
  if (foreign !== null) throw invalid(name, `${foreign}.`);
  const cursor = startText(bytes, (at, problem) => invalid(name, `${problem} (byte ${at}). The index is damaged: download it again.`));
  const found: Map<string, string>[] = [];
  scanObject(cursor, 'the index', (key, keyAt) => {
    if (key !== 'weight_map') skipValue(cursor);
    else if (found.length === 0) found.push(scanWeightMap(cursor));
    else throw cursor.fault(keyAt, '"weight_map" stands in the index twice');
  });
  expectEnd(cursor);
  const [weightMap] = found;
  if (weightMap === undefined) throw invalid(name, 'has no "weight_map", which says which shard each tensor is in. Download it again.');
  return weightMap;
}

function scanWeightMap(cursor: Cursor): Map<string, string> {
  const start = cursor.at;
  const weightMap = new Map<string, string>();
  /** One string per shard instead of one per tensor. */
  const known = new Map<string, string>();
  scanObject(cursor, '"weight_map"', (tensor, tensorAt) => {
    if (weightMap.has(tensor)) throw cursor.fault(tensorAt, `tensor ${quote(tensor)} stands in "weight_map" twice`);
    const read = readString(cursor, `the shard of tensor ${quote(tensor)} as a string`);
    let shard = known.get(read);
    if (shard === undefined) {
      const problem = fileNameProblem(read);
      if (problem !== null) throw cursor.fault(tensorAt, `the shard ${quote(read)} of tensor ${quote(tensor)} ${problem}: refused`);
      known.set(read, read);
      shard = read;
    }
    weightMap.set(tensor, shard);
  });
  if (weightMap.size === 0) throw cursor.fault(start, '"weight_map" lists no tensors');
  return weightMap;
}

function checkAgreement(index: string, weightMap: ReadonlyMap<string, string>, shards: ReadonlyMap<string, WeightFile>): void {
  const repeated = new Set<string>();
  const extra: string[] = [];
  const owners = new Map<string, string>();
  for (const [shard, { tensors }] of shards) {
    for (const tensor of tensors.keys()) {
      const owner = owners.get(tensor);
      if (owner !== undefined) repeated.add(`${quote(tensor)} in ${quote(owner)} and ${quote(shard)}`);
      else owners.set(tensor, shard);
      if (!weightMap.has(tensor)) extra.push(`${quote(tensor)} in ${quote(shard)}`);
    }
  }
  const again = 'The index and the shards do not belong together: download the model again.';
  if (repeated.size > 0) throw invalid(index, `tensors that are in two shards: ${list([...repeated])}. ${again}`);
  const absent = [...weightMap]
    .filter(([tensor, shard]) => owners.get(tensor) !== shard)
    .map(([tensor, shard]) => missing(tensor, shard, owners));
  if (absent.length > 0) {
    throw new ModelError('tensor_missing', `${index}: tensors that are not in the shard the index names: ${list(absent)}. ${again}`);
  }
  if (extra.length > 0) throw invalid(index, `tensors that the index does not list: ${list(extra)}. ${again}`);
}

function missing(tensor: string, shard: string, owners: ReadonlyMap<string, string>): string {
  const owner = owners.get(tensor);
  return `${quote(tensor)} (index: ${quote(shard)}, ${owner === undefined ? 'in no shard' : `is in ${quote(owner)}`})`;
}

function list(items: readonly string[]): string {
  const more = items.length > LISTED ? ` and ${items.length - LISTED} more` : '';
  return `${items.slice(0, LISTED).join(', ')}${more}`;
}

/** Results in order, a few at a time. When some fail, the error is that of the first in order, whichever came first in time. */
async function mapInOrder<Item, Result>(
  items: readonly Item[],
  work: (item: Item, position: number) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  const errors = new Map<number, unknown>();
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < items.length && errors.size === 0) {
      const position = next++;
      try {
        results[position] = await work(items[position] as Item, position);
      } catch (error) {
        errors.set(position, error);
      }
    }
  };
  await Promise.all(Array.from({ length: PARALLEL_READS }, worker));
  if (errors.size > 0) throw errors.get(Math.min(...errors.keys()));
  return results;
}

function invalid(index: string, problem: string): ModelError {
  return new ModelError('weights_invalid', `${index}: ${problem}`);
}
