// Finds where kernels can stand in a program, and lays out which kernel stands where in a whole model.

import { wholeTensor, type AttributeValue, type Op, type Program, type WeightRef } from '../architectures/program.js';
import { CONTRACTS, type Contract, type Step } from './contracts.js';

/** One place of a program where a kernel's contract fits: ops `[start, end]`. */
export interface Site {
  readonly op: string;
  readonly start: number;
  readonly end: number;
  readonly layer: number | null;
  /** transformers' module name within the layer. */
  readonly name: string;
  /** Contract tensor → value of the program. */
  readonly inputs: ReadonlyMap<string, string>;
  /** Contract tensor → checkpoint tensors, joined along the first axis. */
  readonly weights: ReadonlyMap<string, readonly WeightRef[]>;
  /** Contract tensor → value of the program. */
  readonly outputs: ReadonlyMap<string, string>;
  readonly attributes: Readonly<Record<string, AttributeValue>>;
}

type Config = Readonly<Record<string, unknown>>;

/** Where a kernel is noted that is a whole model: beside the program, at none of its ops. */
export function besideProgram(op: 'model' | 'generate'): Site {
  const none = new Map<string, never>();
  return { op, start: 0, end: 0, layer: null, name: 'model', inputs: none, weights: none, outputs: none, attributes: {} };
}

/**
 * All sites of a contract in program order; none for a contract that stands for the whole model.
 * @param config config.json, whose numbers, words and switches go to kernels that are a whole layer
 */
export function findSites(program: Program, op: string, config: Config = {}): Site[] {
  const contract = CONTRACTS.get(op);
  if (contract === undefined) throw new Error(`no contract ${op}`);
  if (contract.stands_for === 'model') return [];
  if (contract.stands_for === 'layer') return layerSites(program, op, scalars(config));
  const consumers = countConsumers(program);
  const sites: Site[] = [];
  for (let start = 0; start + contract.steps.length <= program.ops.length; start++) {
    const site = matchAt(program, op, contract, start, consumers);
    if (site !== null) sites.push(site);
  }
  return sites;
}

/** Longer words are no settings. */
const MAX_WORD = 256;

function scalars(config: Config): Record<string, AttributeValue> {
  const isScalar = (entry: [string, unknown]): entry is [string, AttributeValue] => {
    const [, value] = entry;
    return typeof value === 'boolean' || typeof value === 'number' || (typeof value === 'string' && value.length <= MAX_WORD);
  };
  return Object.fromEntries(Object.entries(config).filter(isScalar));
}

/** One site per layer: all of its ops, its weights under their checkpoint names. */
function layerSites(program: Program, op: string, settings: Record<string, AttributeValue>): Site[] {
  return program.layer_outputs.map((output, layer) => {
    const start = program.ops.findIndex((each) => each.layer === layer);
    const ops = program.ops.filter((each) => each.layer === layer);
    const made = new Set(ops.flatMap(({ outputs }) => Object.values(outputs)));
    const inputs = new Map<string, string>();
    const weights = new Map<string, WeightRef[]>();
    const attributes: Record<string, AttributeValue> = { ...settings };
    for (const each of ops) {
      for (const value of Object.values(each.inputs)) {
        if (!made.has(value)) inputs.set(value.startsWith('cos:') ? 'cos' : value.startsWith('sin:') ? 'sin' : 'x', value);
      }
      for (const ref of Object.values(each.weights)) weights.set(ref.tensor, [wholeTensor(ref)]);
      Object.assign(attributes, attributesOf(each));
    }
    attributes['layer_idx'] = layer;
    return { op, start, end: start + ops.length - 1, layer, name: 'layer', inputs, weights, outputs: new Map([['y', output]]), attributes };
  });
}

/** Attributes of an op as contracts name them. */
function attributesOf(op: Op): Readonly<Record<string, AttributeValue>> {
  return op.op.endsWith('_mul') ? { activation: op.op.slice(0, -'_mul'.length) } : op.attributes;
}

function countConsumers(program: Program): Map<string, number> {
  const consumers = new Map<string, number>();
  for (const op of program.ops) for (const value of Object.values(op.inputs)) consumers.set(value, (consumers.get(value) ?? 0) + 1);
  return consumers;
}

function matchAt(program: Program, name: string, contract: Contract, start: number, consumers: ReadonlyMap<string, number>): Site | null {
  // The same name may go in and come out (q → q), so what a contract tensor means is looked up in the latest binding.
  const bound = new Map<string, string>();
  const inputs = new Map<string, string>();
  const outputs = new Map<string, string>();
  const weights = new Map<string, WeightRef[]>();
  const attributes: Record<string, AttributeValue> = {};
  const inside = new Map<string, number>();
  for (const [k, step] of contract.steps.entries()) {
    const op = program.ops[start + k] as Op;
    if (!(typeof step.op === 'string' ? [step.op] : step.op).includes(op.op)) return null;
    for (const [tensor, contractTensor] of Object.entries(step.inputs)) {
      const value = op.inputs[tensor] as string;
      const known = bound.get(contractTensor);
      if (known === undefined) {
        if (contractTensor.startsWith('#')) return null;
        bound.set(contractTensor, value);
        inputs.set(contractTensor, value);
      } else if (known !== value) return null;
      inside.set(value, (inside.get(value) ?? 0) + 1);
    }
    if (!bindWeights(step, op, weights)) return null;
    for (const [tensor, contractTensor] of Object.entries(step.outputs)) {
      const value = op.outputs[tensor] as string;
      bound.set(contractTensor, value);
      if (!contractTensor.startsWith('#')) outputs.set(contractTensor, value);
    }
    for (const { name: attribute } of contract.attributes) {
      const value = attributesOf(op)[attribute];
      if (value !== undefined) attributes[attribute] = value;
    }
  }
  const escapes = [...bound].some(([tensor, value]) => tensor.startsWith('#') && inside.get(value) !== consumers.get(value));
  // Logits come and go in blocks of the vocabulary and are never whole in memory (src/reference/walk.ts), so nothing can stand in for lm_head.
  if (escapes || [...outputs.values()].includes(program.logits)) return null;
  const end = start + contract.steps.length - 1;
  const last = program.ops[end] as Op;
  return { op: name, start, end, layer: last.layer, name: last.site, inputs, weights, outputs, attributes };
}

function bindWeights(step: Step, op: Op, weights: Map<string, WeightRef[]>): boolean {
  const used = new Set<string>();
  const bind = (tensor: string, names: readonly string[]) => {
    weights.set(
      tensor,
      names.map((name) => op.weights[name] as WeightRef),
    );
    for (const name of names) used.add(name);
  };
  for (const [tensor, names] of Object.entries(step.weights ?? {})) bind(tensor, names);
  for (const [tensor, names] of Object.entries(step.optional ?? {})) if (names.every((name) => name in op.weights)) bind(tensor, names);
  // A weight that the contract has no place for (the bias of an MLP in `swiglu_mlp`) means that the kernel cannot stand here.
  return Object.keys(op.weights).every((name) => used.has(name));
}

/** A kernel and one of its sites. */
export interface Placement<K> {
  readonly kernel: K;
  readonly site: Site;
}

/**
 * Lays out whole models with kernels standing in. In the first one the longest run wins wherever kernels overlap (then the first by name).
 * A kernel that stands nowhere in it gets a further model in which it comes first, so that each kernel runs free at least once.
 */
export function assemble<K extends { readonly name: string }>(
  kernels: readonly K[],
  sitesOf: (kernel: K) => readonly Site[],
): Placement<K>[][] {
  const byName = [...kernels].filter((kernel) => sitesOf(kernel).length > 0).sort((a, b) => (a.name < b.name ? -1 : 1));
  if (byName.length === 0) return [];
  const models = [place(byName, sitesOf, null)];
  for (const kernel of byName) {
    if (!models.some((model) => model.some((placement) => placement.kernel === kernel))) models.push(place(byName, sitesOf, kernel));
  }
  return models;
}

function place<K>(kernels: readonly K[], sitesOf: (kernel: K) => readonly Site[], preferred: K | null): Placement<K>[] {
  const candidates = kernels.flatMap((kernel) => sitesOf(kernel).map((site) => ({ kernel, site })));
  const rank = ({ kernel }: Placement<K>) => (kernel === preferred ? 0 : 1);
  const length = ({ site }: Placement<K>) => site.end - site.start;
  // Array.prototype.sort is stable, so equal candidates stay in order of name and place.
  candidates.sort((a, b) => rank(a) - rank(b) || length(b) - length(a));
  const taken = new Set<number>();
  const placed: Placement<K>[] = [];
  for (const candidate of candidates) {
    const { start, end } = candidate.site;
    const indices = Array.from({ length: end - start + 1 }, (_, i) => start + i);
    if (indices.some((index) => taken.has(index))) continue;
    for (const index of indices) taken.add(index);
    placed.push(candidate);
  }
  return placed.sort((a, b) => a.site.start - b.site.start);
}
