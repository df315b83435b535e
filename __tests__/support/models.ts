// The five small trained models, and copies of them with something changed.

import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openFolder } from '../../src/hub/folder.js';
import { buildProgram } from '../../src/architectures/registry.js';
import type { Program } from '../../src/architectures/program.js';
import { openCheckpoint } from '../../src/weights/checkpoint.js';
import { readModelConfig } from '../../src/weights/model-config.js';
import { writeSafetensors, type TensorToWrite } from '../../src/weights/write-safetensors.js';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export const MODELS = ['tinyllama-mini', 'qwen3-mini', 'ernie45-mini', 'mistral-mini', 'gemma3-mini'] as const;
export type ModelName = (typeof MODELS)[number];
/** Those that `npm start` shows. */
export const DEMO_MODELS = ['tinyllama-mini', 'qwen3-mini', 'ernie45-mini'] as const;

export function modelFolder(name: ModelName): string {
  const demo: readonly string[] = DEMO_MODELS;
  return join(ROOT, demo.includes(name) ? 'examples' : '__tests__', 'models', name);
}

export async function programOf(name: ModelName): Promise<Program> {
  return buildProgram((await readModelConfig(await openFolder(modelFolder(name)))) ?? {});
}

/** A new empty folder for the tests of one file, and how to remove it. */
export async function scratch(): Promise<{ folder: string; remove: () => Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'fused-compat-test-'));
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) };
}

/** Copies a model into `folder` under a new name and gives the copy's path. */
export async function copyModel(name: ModelName, folder: string, as: string): Promise<string> {
  const path = join(folder, as);
  await cp(modelFolder(name), path, { recursive: true });
  return path;
}

/**
 * Copies a model of which nothing but the first layers is wanted: tests of how runs go take a fraction of the time with it. What a verdict is on a
 * model that somebody trained is not for these. Of gemma3-mini every second layer attends to everything, as every sixth does in the whole one.
 */
export async function shortModel(name: ModelName, folder: string, as: string, layers: number): Promise<string> {
  const path = await copyModel(name, folder, as);
  const checkpoint = await openCheckpoint(await openFolder(path));
  const tensors: TensorToWrite[] = [];
  for (const { name: tensor, dtype, shape } of checkpoint.tensors.values()) {
    if (Number(/layers\.(\d+)\./.exec(tensor)?.[1] ?? 0) >= layers) continue;
    tensors.push({ name: tensor, dtype: dtype as TensorToWrite['dtype'], shape, data: await checkpoint.read(tensor) });
  }
  await checkpoint.close();
  await writeSafetensors(join(path, 'model.safetensors'), tensors);
  const types = Array.from({ length: layers }, (_, layer) => (layer % 2 === 0 ? 'sliding_attention' : 'full_attention'));
  const layer_types = name === 'gemma3-mini' ? types : undefined;
  await changeJson(join(path, 'config.json'), { num_hidden_layers: layers, max_window_layers: undefined, layer_types });
  return path;
}

/** Changes keys of a JSON file; undefined removes a key. */
export async function changeJson(file: string, changes: Readonly<Record<string, unknown>>): Promise<void> {
  const json = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>;
  await writeFile(file, JSON.stringify({ ...json, ...changes }));
}

interface Header {
  [tensor: string]: { dtype: string; shape: number[]; data_offsets: [number, number] };
}

/** Rewrites a safetensors file: `header` may rename tensors, `data` may write into a tensor's bytes. */
export async function changeTensors(file: string, change: (header: Header, data: (tensor: string) => Uint16Array) => void): Promise<void> {
  const bytes = await readFile(file);
  const length = Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.subarray(8, 8 + length).toString('utf8')) as Header;
  const body = Uint8Array.from(bytes.subarray(8 + length));
  change(header, (tensor) => {
    const [start, end] = header[tensor]?.data_offsets ?? [0, 0];
    return new Uint16Array(body.buffer, start, (end - start) / 2);
  });
  const text = Buffer.from(JSON.stringify(header));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(text.byteLength));
  await writeFile(file, Buffer.concat([prefix, text, body]));
}
