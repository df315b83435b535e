// What the schema cannot say about a cuda manifest: expressions that parse, arguments that the contract has.

import { CONTRACTS } from './contracts.js';
import { parseExpression, SIZES, type Size } from './expression.js';
import type { CudaManifest, Expression } from './manifest.js';

export const SCALAR_TYPES = ['i32', 'u32', 'i64', 'u64', 'f32', 'f64', 'bool'] as const;
export type ScalarType = (typeof SCALAR_TYPES)[number];

/** One parameter of the kernel: a tensor, or a scalar of a type. */
export interface Parameter {
  readonly name: string;
  readonly type?: ScalarType;
}

/** `args` taken apart; the schema has checked their form. */
export function parameters({ args }: Pick<CudaManifest, 'args'>): Parameter[] {
  return args.map((arg) => {
    const [name = '', type] = arg.split(':');
    return type === undefined ? { name } : { name, type: type as ScalarType };
  });
}

/** A contract tensor as manifests of backend `cuda` call it. */
export interface NamedTensor {
  readonly name: string;
  readonly role: 'input' | 'output';
  /** In the contract. */
  readonly tensor: string;
  readonly optional: boolean;
}

/** Inputs by their names; outputs too, but `out_NAME` where an input has that name (q and k of rope). */
export function namedTensors(op: string): NamedTensor[] {
  const { inputs = [], outputs = [] } = CONTRACTS.get(op) ?? {};
  const taken = new Set(inputs.map(({ name }) => name));
  return [
    ...inputs.map(({ name, optional }): NamedTensor => ({ name, role: 'input', tensor: name, optional })),
    ...outputs.map(({ name }): NamedTensor => ({
      name: taken.has(name) ? `out_${name}` : name,
      role: 'output',
      tensor: name,
      optional: false,
    })),
  ];
}

/** Sizes that the calls of an op have. */
export function sizesOf(op: string): Size[] {
  if (op === 'linear') return ['T', 'H', 'I'];
  const { inputs = [], attributes = [] } = CONTRACTS.get(op) ?? {};
  const named = new Set<string>(inputs.flatMap(({ shape }) => shape));
  const sizeAttributes: Readonly<Record<string, Size>> = { num_heads: 'Nq', num_kv_heads: 'Nkv', head_dim: 'D', rotary_dim: 'R' };
  for (const { name } of attributes) if (sizeAttributes[name] !== undefined) named.add(sizeAttributes[name]);
  return SIZES.filter((size) => named.has(size));
}

/** Problems in the user's words; none for a manifest that can be used. */
export function cudaProblems(manifest: CudaManifest): string[] {
  // Whole layers and models take their weights by checkpoint names, and more than one launch.
  if ((CONTRACTS.get(manifest.op)?.steps.length ?? 0) === 0) return [`op ${manifest.op} is for backend command`];
  const problems = [...expressionProblems(manifest), ...argumentProblems(manifest)];
  if (typeof manifest.entry === 'object') {
    for (const dtype of manifest.dtypes) if (manifest.entry[dtype] === undefined) problems.push(`entry has none for dtype ${dtype}`);
  }
  return problems;
}

function expressionProblems({ op, grid, block, shared_bytes }: CudaManifest): string[] {
  const expressions: [string, Expression][] = [
    ...list(grid).map((text, i): [string, Expression] => [`grid.${'xyz'[i] as string}`, text]),
    ...list(block).map((text, i): [string, Expression] => [`block.${'xyz'[i] as string}`, text]),
  ];
  const known = sizesOf(op);
  const problems: string[] = [];
  for (const [key, text] of shared_bytes === undefined ? expressions : [...expressions, ['shared_bytes', shared_bytes] as const]) {
    try {
      const parsed = parseExpression(text);
      const missing = parsed.sizes.find((size) => !known.includes(size));
      if (missing !== undefined) problems.push(`${key} ${JSON.stringify(text)}: ${op} has no ${missing}; it has ${known.join(', ')}`);
      else if (parsed.sizes.length === 0 && parsed.compute({}) === 0 && key !== 'shared_bytes')
        problems.push(`${key} ${JSON.stringify(text)}: it must be at least 1`);
    } catch (error) {
      problems.push(`${key} ${JSON.stringify(text)}: ${(error as Error).message}`);
    }
  }
  return problems;
}

function argumentProblems(manifest: CudaManifest): string[] {
  const { op } = manifest;
  const contract = CONTRACTS.get(op);
  if (contract === undefined) return [];
  const tensors = namedTensors(op);
  const attributes = new Map(contract.attributes.map(({ name, type }) => [name, type]));
  const sizes: readonly string[] = sizesOf(op);
  const problems: string[] = [];
  for (const { name, type } of parameters(manifest)) {
    const isTensor = tensors.some((tensor) => tensor.name === name);
    const isScalar = sizes.includes(name) || attributes.has(name);
    if (type === undefined) {
      if (isTensor) continue;
      const renamed = tensors.find((tensor) => tensor.tensor === name || `out_${tensor.tensor}` === name);
      const hint = isScalar ? `; a scalar needs its type: "${name}:i32"` : renamed === undefined ? '' : `; did you mean "${renamed.name}"?`;
      problems.push(`args: "${name}" is no tensor of ${op}${hint || `; its tensors are ${tensors.map((each) => each.name).join(', ')}`}`);
    } else if (!isScalar) {
      const known = [...sizes, ...attributes.keys()].join(', ');
      problems.push(
        `args: "${name}:${type}": ${isTensor ? `${name} is a tensor; write "${name}"` : `${op} has no scalar ${name}; it has ${known}`}`,
      );
    } else if ((attributes.get(name) === 'float' && !type.startsWith('f')) || (attributes.get(name) === 'bool' && type.startsWith('f'))) {
      const right = attributes.get(name) === 'float' ? 'f32 or f64' : 'i32 or bool';
      problems.push(`args: "${name}:${type}": ${name} goes to ${right}`);
    }
  }
  const given = new Set(manifest.args);
  for (const { name, role, optional } of tensors) if (!optional && !given.has(name)) problems.push(`args lacks ${role} "${name}" of ${op}`);
  return problems;
}

export function list<T>(value: T | readonly T[]): readonly T[] {
  return Array.isArray(value) ? (value as readonly T[]) : [value as T];
}
