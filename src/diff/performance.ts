// How fast the kernels are: each timed at one site of the model, beside the user's own standard variant or the contract's ops one by one on
// the same device. Nothing here decides anything: what cannot be measured is null, with the reason in words.

import type { Op, Program } from '../architectures/program.js';
import { KernelError, type Kernel, type KernelCall, type KernelDevice, type KernelTensor } from '../kernels/kernel.js';
import { unfusedName } from '../kernels/shipped.js';
import { findSites, type Site } from '../kernels/sites.js';
import { rows, type NdArray } from '../reference/ndarray.js';
import { eager } from '../reference/recipes.js';
import type { Sequence } from '../reference/sequence.js';
import { matrices } from '../reference/walk.js';
import type { KernelTime, Performance } from '../report/types.js';
import { runSite, seesOtherTokens, siteWeights, type SiteContext, type Tensors } from './site.js';

/** Repeats of a call; fewer where all of them would take longer than the budget. */
const REPEATS = 20;
const BUDGET_MS = 1000;

export interface PerformanceContext extends SiteContext {
  readonly sequence: Sequence;
  /** Kernels of ours for single ops on a GPU that `cuda` kernels are compared with; each starts with its first call. */
  readonly unfused: readonly Kernel[];
}

/** A kernel, and the site at which it is timed. */
export interface Timed {
  readonly kernel: Kernel;
  readonly device: KernelDevice;
  readonly site: Site;
  /** The reference's inputs of the site for all prompts, without the weights; of a whole model, the token ids of one prompt. */
  readonly inputs: KernelCall['inputs'];
}

/** The site that stands for a kernel: the first of the middle layer, or the first of all where that layer has none. */
export function timedSite(program: Program, sites: readonly Site[]): Site | undefined {
  const middle = program.num_hidden_layers >> 1;
  return sites.find(({ layer }) => layer === middle) ?? sites[0];
}

/** Times kernels one after the other. Whatever goes wrong is in the entry's note. */
export async function measurePerformance(context: PerformanceContext, timed: readonly Timed[]): Promise<Performance> {
  const kernels: KernelTime[] = [];
  let rate: Performance['tokens_per_second'] = null;
  for (const each of timed) {
    const { time, made } = await timeOne(context, each);
    kernels.push(time);
    if ('input_ids' in each.inputs) rate ??= tokensPerSecond(time, made);
  }
  return { kernels, tokens_per_second: rate };
}

function tokensPerSecond({ fused_us, standard_us }: KernelTime, tokens: number): Performance['tokens_per_second'] {
  const rate = (us: number | null) => (us === null || us === 0 ? null : tokens / (us / 1e6));
  return { fused: rate(fused_us), standard: rate(standard_us) };
}

/** Microseconds of one call and who held the clock. */
interface Clocked {
  readonly us: number;
  readonly timer: 'device' | 'wall';
}

/** @returns the entry, and the tokens that a call deals with: those that `generate` makes, else those that go in */
async function timeOne(
  context: PerformanceContext,
  { kernel, device, site, inputs: all }: Timed,
): Promise<{ time: KernelTime; made: number }> {
  const { inputs, tokens } = longestPrompt(site, all, context.sequence);
  const kept: PerformanceContext = {
    ...context,
    weights: new Map(),
    sequence: { ids: context.sequence.ids, segments: [{ start: 0, end: tokens }] },
  };
  const base = { kernel: kernel.name, site: site.name, layer: site.layer, tokens };
  const nothing = { fused_us: null, standard_us: null, speedup: null, timer: null, standard: null } as const;
  let fused: Clocked & { outputs: Readonly<Record<string, NdArray>> };
  let call: Omit<KernelCall, 'repeat'>;
  try {
    call = {
      inputs: { ...inputs, ...(await siteWeights(kept, site)) },
      attributes: site.attributes,
      dtype: context.dtype,
      variant: 'fused',
    };
    fused = await timeKernel(kernel, call);
  } catch (error) {
    return { time: { ...base, ...nothing, note: `the timed call failed: ${words(error)}` }, made: tokens };
  }
  const made = kernel.op === 'generate' ? (fused.outputs['output_ids']?.data.length ?? 0) : tokens;
  const { us, timer } = fused;
  const measured = { ...base, ...nothing, fused_us: us, timer };
  const transport =
    timer === 'wall' && kernel.backend !== 'onnxruntime' ? 'the clock holds the way of the tensors to the kernel and back too' : null;
  try {
    const standard = device.variants.includes('standard')
      ? { kind: 'own' as const, ...(await timeKernel(kernel, { ...call, variant: 'standard' })) }
      : { kind: 'unfused chain' as const, ...(await timeChain(kept, kernel, device, site, inputs)) };
    if (standard.timer !== timer) {
      const note = `fused was timed by the ${timer} clock and standard by the ${standard.timer} clock, which do not compare`;
      return { time: { ...measured, standard: standard.kind, note }, made };
    }
    const speedup = us > 0 ? standard.us / us : null;
    return { time: { ...measured, standard_us: standard.us, speedup, standard: standard.kind, note: transport }, made };
  } catch (error) {
    const note = error instanceof NoChain ? error.message : `the standard could not be timed: ${words(error)}`;
    return { time: { ...measured, note: transport === null ? note : `${note}; ${transport}` }, made };
  }
}

/** There is nothing on the device to compare with. */
class NoChain extends Error {}

function words(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** One call takes one prompt where tokens see each other: the longest. Anything else takes the tokens of all prompts at once. */
function longestPrompt(
  site: Site,
  all: KernelCall['inputs'],
  { segments, ids }: Sequence,
): { inputs: KernelCall['inputs']; tokens: number } {
  const given = all['input_ids'];
  if (given !== undefined) return { inputs: all, tokens: given.data.length };
  if (!seesOtherTokens(site)) return { inputs: all, tokens: ids.length };
  const { start, end } = segments.reduce((longest, segment) =>
    segment.end - segment.start > longest.end - longest.start ? segment : longest,
  );
  return {
    inputs: Object.fromEntries(Object.entries(all).map(([name, array]) => [name, rows(array as NdArray, start, end)])),
    tokens: end - start,
  };
}

/**
 * @returns the median of one call by the backend's clock, or by ours where the backend tells no time
 * @throws KernelError
 */
async function timeKernel(
  kernel: Kernel,
  call: Omit<KernelCall, 'repeat'>,
): Promise<Clocked & { outputs: Readonly<Record<string, NdArray>> }> {
  const from = performance.now();
  const first = await kernel.run({ ...call, repeat: 1 });
  const once = performance.now() - from;
  const repeat = repeats(once);
  const { outputs, time_us } = repeat === 1 ? first : await kernel.run({ ...call, repeat });
  // ONNX Runtime runs are timed by a clock around them, inside the kernel's process.
  if (time_us !== null) return { us: time_us, timer: kernel.backend === 'onnxruntime' ? 'wall' : 'device', outputs };
  return { us: await median(repeat, once, () => kernel.run({ ...call, repeat: 1 })), timer: 'wall', outputs };
}

function repeats(onceMs: number): number {
  return Math.min(REPEATS, Math.max(1, Math.floor(BUDGET_MS / onceMs)));
}

/** Microseconds: the median of `repeat` runs; the first one's where there is time for no other. */
async function median(repeat: number, onceMs: number, run: () => Promise<unknown>): Promise<number> {
  const times = repeat === 1 ? [onceMs] : [];
  for (let i = 0; repeat > 1 && i < repeat; i++) {
    const from = performance.now();
    await run();
    times.push(performance.now() - from);
  }
  times.sort((a, b) => a - b);
  return (times[times.length >> 1] as number) * 1000;
}

/**
 * The contract's ops one by one on the kernel's own device.
 * @throws NoChain where that cannot be had
 */
function timeChain(
  context: PerformanceContext,
  kernel: Kernel,
  device: KernelDevice,
  site: Site,
  given: KernelCall['inputs'],
): Promise<Clocked> {
  if ('input_ids' in given)
    return Promise.reject(new NoChain('a whole model is compared with its own standard variant only, and it offers none'));
  const inputs = given as Tensors;
  if (kernel.backend === 'cuda') return timeCudaChain(context, kernel, site, inputs);
  if (kernel.backend === 'onnxruntime' && !device.gpu) return timeReference(context, site, inputs);
  const why =
    kernel.backend === 'command'
      ? 'a command that offers no standard variant is compared with nothing: its device is not known'
      : `there are no unfused ops of ours for ONNX Runtime on ${device.device}`;
  return Promise.reject(new NoChain(why));
}

/** The reference's graphs in float32, as ONNX Runtime computes on the CPU: eager's ops without the rounding that is only emulated there. */
async function timeReference(context: PerformanceContext, site: Site, inputs: Tensors): Promise<Clocked> {
  const run = () => runSite(context, site, eager('float32'), inputs, context.sequence);
  // The first run makes the sessions and reads the weights.
  await run();
  const from = performance.now();
  await run();
  const once = performance.now() - from;
  return { us: await median(repeats(once), once, run), timer: 'wall' };
}

async function timeCudaChain(context: PerformanceContext, kernel: Kernel, site: Site, inputs: Tensors): Promise<Clocked> {
  const steps = chainOf(context.program, site, context.unfused, kernel);
  const values = new Map<string, KernelTensor>([...site.inputs].map(([name, value]) => [value, inputs[name] as NdArray]));
  let us = 0;
  for (const { kernel: unfused, site: step, shape } of steps) {
    await unfused.start();
    const given = Object.fromEntries([...step.inputs].map(([name, value]) => [name, asInput(name, values.get(value) as KernelTensor)]));
    const weights = await siteWeights(context, step);
    const { dtype } = context;
    const timed = await timeKernel(unfused, { inputs: { ...given, ...weights }, attributes: step.attributes, dtype, variant: 'fused' });
    if (timed.timer !== 'device') throw new KernelError(`${unfused.name} gave no time`);
    us += timed.us;
    for (const [name, value] of step.outputs) {
      const output = timed.outputs[name] as NdArray;
      values.set(value, shape === null ? output : { data: output.data, shape: shape(output.shape[0] ?? 0) });
    }
  }
  return { us, timer: 'device' };
}

/** x is [T, features]: what comes out of attention is [T, heads, head_dim]. */
function asInput(name: string, tensor: KernelTensor): KernelTensor {
  const tokens = tensor.shape[0] ?? 1;
  return name === 'x' ? { data: tensor.data, shape: [tokens, tensor.data.length / tokens] } : tensor;
}

interface ChainStep {
  readonly kernel: Kernel;
  readonly site: Site;
  /** Of its output, where the model wants another than the kernel gives. */
  readonly shape: ((tokens: number) => number[]) | null;
}

/**
 * The smallest kernels of ours that together do what a site does.
 * @throws NoChain naming the op for which there is none
 */
function chainOf(program: Program, site: Site, unfused: readonly Kernel[], kernel: Kernel): ChainStep[] {
  const linear = unfused.find(({ op }) => op === 'linear');
  const usable = unfused.filter(({ name }) => name !== unfusedName(kernel.name));
  const candidates = usable
    .flatMap((each) => findSites(program, each.op).map((found) => ({ kernel: each, site: found, shape: null })))
    // A kernel for the whole run of ops is no chain.
    .filter(({ site: { start, end } }) => start >= site.start && end <= site.end && (end - start < site.end - site.start || start === end))
    .sort((a, b) => a.site.end - a.site.start - (b.site.end - b.site.start));
  const steps: ChainStep[] = [];
  for (let index = site.start; index <= site.end;) {
    const op = program.ops[index] as Op;
    const found =
      op.op === 'qkv' && linear !== undefined
        ? projections(op, index, linear)
        : candidates.filter(({ site: { start } }) => start === index).slice(0, 1);
    const last = found.at(-1);
    if (last === undefined) throw new NoChain(`there is no unfused CUDA kernel of ours for ${op.op} in this dtype`);
    steps.push(...found);
    index = last.site.end + 1;
  }
  return steps;
}

/** A `qkv` op as three calls of `linear`. */
function projections(op: Op, index: number, kernel: Kernel): ChainStep[] {
  return matrices(op).map(({ ref, bias, output, shape }) => ({
    kernel,
    shape,
    site: {
      op: 'linear',
      start: index,
      end: index,
      layer: op.layer,
      name: op.site,
      inputs: new Map([['x', op.inputs['x'] as string]]),
      weights: new Map([['weight', [ref]], ...(bias === undefined ? [] : [['bias', [bias]] as const])]),
      outputs: new Map([['y', output]]),
      attributes: {},
    },
  }));
}
