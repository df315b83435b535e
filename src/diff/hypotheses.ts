// What implementations get wrong, as changes of single ops of the reference. Which of them a kernel does is causes.ts's.

import type { AttributeValue, Op, Program, RopeTable } from '../architectures/program.js';
import type { NdArray } from '../reference/ndarray.js';
import { rotaryAt } from '../reference/sequence.js';
import type { CauseCode, ServingDtype } from '../report/types.js';
import { accumulations } from './accumulation.js';
import { gated } from './activations.js';
import type { Change, OpCall, Tensors } from './site.js';

export interface Hypothesis {
  readonly code: CauseCode;
  /** What an implementation then does: the rest of a sentence that begins with its name. */
  readonly says: string;
  /** Ops that it does otherwise; all others it leaves as they are. */
  concerns(op: Op): boolean;
  readonly change: Change;
}

export interface Subject {
  readonly program: Program;
  /** config.json. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly dtype: ServingDtype;
}

type Attributes = Readonly<Record<string, AttributeValue>>;

/** All hypotheses that make a difference to at least one of these ops. */
export function hypotheses(subject: Subject, ops: readonly Op[]): Hypothesis[] {
  const all = [
    ...rotary(subject, ops),
    ...norms(ops),
    ...scales(subject, ops),
    ...masks(subject, ops),
    ...heads(subject),
    ...gates(ops),
    ...accumulations(subject.dtype),
    hypothesis('missing_bias', 'leaves out the bias', hasBias, (op, inputs, { run }) => run(withoutBias(op), inputs)),
  ];
  return all.filter(({ concerns }) => ops.some(concerns));
}

/** @param change is called for the ops that it concerns only */
function hypothesis(code: CauseCode, says: string, concerns: (op: Op) => boolean, change: Change): Hypothesis {
  return { code, says, concerns, change: (op, inputs, call) => (concerns(op) ? change(op, inputs, call) : call.run(op, inputs)) };
}

function withAttributes(op: Op, attributes: Attributes): Op {
  return { ...op, attributes: { ...op.attributes, ...attributes } };
}

/** A hypothesis that some attributes of an op are others. */
function attributes(code: CauseCode, says: string, concerns: (op: Op) => boolean, changed: (op: Op) => Attributes): Hypothesis {
  return hypothesis(code, says, concerns, (op, inputs, { run }) => run(withAttributes(op, changed(op)), inputs));
}

const isRope = ({ op }: Op) => op === 'rope';
const isAttention = ({ op }: Op) => op === 'attention';
const isNorm = ({ op }: Op) => op === 'rms_norm' || op === 'qk_norm';
const isGate = ({ op }: Op) => op === 'silu_mul' || op === 'gelu_tanh_mul';

const BIASES = ['bias', 'q_bias', 'k_bias', 'v_bias'];

function hasBias({ op, weights }: Op): boolean {
  return (op === 'linear' || op === 'qkv') && BIASES.some((name) => name in weights);
}

function withoutBias(op: Op): Op {
  return { ...op, weights: Object.fromEntries(Object.entries(op.weights).filter(([name]) => !BIASES.includes(name))) };
}

// ---- RoPE

/** Bases of published models. */
const BASES = [10_000, 100_000, 150_000, 250_000, 500_000, 1_000_000, 5_000_000, 10_000_000];

function rotary(subject: Subject, ops: readonly Op[]): Hypothesis[] {
  const { program } = subject;
  const wrong = (layout: 'half' | 'interleaved', says: string) =>
    attributes(
      'rope_layout',
      says,
      (op) => isRope(op) && op.attributes['layout'] !== layout,
      () => ({ layout }),
    );
  const offset = (by: number, only?: 'q' | 'k') => {
    const what = only === undefined ? 'counts positions' : `counts the positions of ${only === 'q' ? 'queries' : 'keys'}`;
    return hypothesis('position_offset', `${what} from ${by} where the first token has position 0`, isRope, async (op, inputs, call) => {
      const moved = await call.run(op, { ...inputs, ...tables(program, op, call, null, by) });
      if (only === undefined) return moved;
      return { ...(await call.run(op, inputs)), [only]: moved[only] as NdArray };
    });
  };
  return [
    wrong('half', 'rotates half-split pairs (element i with i + rotary_dim/2) where this model needs interleaved ones (2i with 2i + 1)'),
    wrong(
      'interleaved',
      'rotates interleaved pairs (element 2i with 2i + 1) where this model needs half-split ones (i with i + rotary_dim/2)',
    ),
    ...[1, -1].flatMap((by) => [offset(by), offset(by, 'q'), offset(by, 'k')]),
    ...bases(subject, ops),
    ...rotaryDims(subject, ops),
  ];
}

/** cos and sin of another table (null: the op's own) at other positions. */
function tables(program: Program, op: Op, { sequence }: OpCall, table: RopeTable | null, offset = 0): { cos: NdArray; sin: NdArray } {
  const positions = sequence.segments.flatMap(({ start, end }) => Array.from({ length: end - start }, (_, i) => i + offset));
  const name = tableName(op);
  const changed = table === null ? program : { ...program, rope_tables: { ...program.rope_tables, [name]: table } };
  return { cos: rotaryAt(changed, `cos:${name}`, positions), sin: rotaryAt(changed, `sin:${name}`, positions) };
}

function tableName(op: Op): string {
  return (op.inputs['cos'] as string).slice('cos:'.length);
}

/** base^(−2i / dim), every step in float32 as transformers computes it. */
function frequencies(base: number, dim: number): RopeTable {
  const inv_freq = Array.from({ length: dim / 2 }, (_, i) => Math.fround(1 / Math.fround(base ** Math.fround((2 * i) / dim))));
  return { inv_freq, attention_factor: 1 };
}

function sameTable(a: RopeTable, b: RopeTable): boolean {
  const same = (x: number, y: number) => Math.abs(x - y) <= 1e-6 * Math.abs(y);
  if (a.inv_freq.length !== b.inv_freq.length || !same(a.attention_factor, b.attention_factor)) return false;
  return a.inv_freq.every((value, i) => same(value, b.inv_freq[i] as number));
}

/** rope_theta of config.json, in either of its places. */
function configuredBase(config: Subject['config']): number | null {
  const nested = config['rope_parameters'];
  const block = typeof nested === 'object' && nested !== null ? (nested as Record<string, unknown>) : {};
  const value = config['rope_theta'] ?? block['rope_theta'];
  return typeof value === 'number' && value > 1 ? value : null;
}

function bases({ program, config }: Subject, ops: readonly Op[]): Hypothesis[] {
  const names = new Set(ops.filter(isRope).map(tableName));
  const own = configuredBase(config);
  const needed = own === null ? 'what config.json says' : `${own}`;
  const plain = [...new Set([...(own === null ? [] : [own]), ...BASES])];
  const hypothesesOf = [...names].flatMap((name) => {
    const right = program.rope_tables[name] as RopeTable;
    const using = (says: string, table: RopeTable) =>
      sameTable(table, right) || table.inv_freq.length !== right.inv_freq.length
        ? []
        : [
            hypothesis(
              'rope_base',
              says,
              (op) => isRope(op) && tableName(op) === name,
              (op, inputs, call) => call.run(op, { ...inputs, ...tables(program, op, call, table) }),
            ),
          ];
    const others = Object.entries(program.rope_tables).filter(([other]) => other !== name);
    return [
      ...others.flatMap(([other, table]) =>
        using(`uses the RoPE frequencies of ${other} layers where this layer needs those of ${name}`, table),
      ),
      ...plain.flatMap((base) =>
        using(
          base === own
            ? `computes RoPE with base ${base} alone where config.json scales it`
            : `computes RoPE with base ${base} where this model needs ${needed}`,
          frequencies(base, right.inv_freq.length * 2),
        ),
      ),
    ];
  });
  return hypothesesOf;
}

/** Half of the dimensions rotated where all are, or all where some are. */
function rotaryDims({ program, config }: Subject, ops: readonly Op[]): Hypothesis[] {
  const base = configuredBase(config) ?? 10_000;
  const dims = new Set(ops.filter(isRope).map(({ attributes: { rotary_dim } }) => Number(rotary_dim)));
  const D = headDim(program);
  return [...dims].flatMap((right) => {
    const wrong = right < D ? D : right / 2;
    if (wrong % 2 !== 0 || wrong === right) return [];
    const concerns = (op: Op) => isRope(op) && Number(op.attributes['rotary_dim']) === right;
    return [
      hypothesis('rotary_dim', `rotates ${wrong} dimensions of a head where this model needs ${right}`, concerns, (op, inputs, call) =>
        call.run(withAttributes(op, { rotary_dim: wrong }), { ...inputs, ...tables(program, op, call, frequencies(base, wrong)) }),
      ),
    ];
  });
}

// ---- norms

const EPS = [0, 1e-12, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2];

function norms(ops: readonly Op[]): Hypothesis[] {
  const own = new Set(ops.filter(isNorm).map(({ attributes: { eps } }) => Number(eps)));
  const offset = (wrong: number, says: string) =>
    attributes(
      'norm_weight_offset',
      says,
      (op) => isNorm(op) && Number(op.attributes['weight_offset'] ?? 0) !== wrong,
      () => ({ weight_offset: wrong }),
    );
  const missing = (names: readonly ('q' | 'k')[], says: string) =>
    hypothesis(
      'missing_qk_norm',
      says,
      ({ op }) => op === 'qk_norm',
      async (op, inputs, { run }) => ({
        ...(await run(op, inputs)),
        ...Object.fromEntries(names.map((name) => [name, inputs[name] as NdArray])),
      }),
    );
  return [
    ...EPS.map((eps) =>
      attributes(
        'eps',
        `adds eps ${power(eps)} to the mean square where this model needs ${[...own].map(power).join(' and ')}`,
        (op) => isNorm(op) && Number(op.attributes['eps']) !== eps,
        () => ({ eps }),
      ),
    ),
    offset(0, 'multiplies by the norm weight where this model needs 1 + weight'),
    offset(1, 'multiplies by 1 + the norm weight where this model needs the weight alone'),
    missing(['q', 'k'], 'leaves out the norms of Q and K'),
    missing(['q'], 'leaves out the norm of Q'),
    missing(['k'], 'leaves out the norm of K'),
    normWeight('leaves out the norm weight', () => 1),
    normWeight('multiplies by the norm weight twice', (weight) => weight * weight),
  ];
}

/** 1e-6, as config.json has it. */
function power(value: number): string {
  return value === 0 ? '0' : value.toExponential();
}

/** Another factor in place of the norm's own, which is weight_offset + weight. */
function normWeight(says: string, factor: (weight: number) => number): Hypothesis {
  return hypothesis('norm_weight', says, isNorm, (op, inputs, { run }) => {
    const offset = Number(op.attributes['weight_offset'] ?? 0);
    const changed = Object.keys(op.weights).map((name): [string, NdArray] => {
      const weight = inputs[name] as NdArray;
      return [name, { data: weight.data.map((w) => factor(w + offset) - offset), shape: weight.shape }];
    });
    return run(op, { ...inputs, ...Object.fromEntries(changed) });
  });
}

// ---- attention

function scales({ program, config }: Subject, ops: readonly Op[]): Hypothesis[] {
  const D = headDim(program);
  const assumed = assumedHeadDim(program, config);
  const own = new Set(ops.filter(isAttention).map(({ attributes: { scale } }) => Number(scale)));
  return [...own].flatMap((right) => {
    const needs = `this model needs ${short(right)}`;
    const candidates: [number, CauseCode, string][] = [
      [1, 'scale', `does not scale the attention scores where ${needs}`],
      [right * right, 'scale', `scales the attention scores twice, by ${short(right * right)}, where ${needs}`],
      [1 / D, 'scale', `scales the attention scores by 1/head_dim (${short(1 / D)}) where ${needs}`],
      [D ** -0.5, 'scale', `scales the attention scores by 1/sqrt(head_dim) (${short(D ** -0.5)}) where ${needs}`],
      ...(assumed === null
        ? []
        : [
            [assumed ** -0.5, 'head_dim', `takes head_dim for ${assumed} in the attention scale where this model has ${D}`] as [
              number,
              CauseCode,
              string,
            ],
          ]),
      [right ** 0.5, 'scale', `scales the attention scores by ${short(right ** 0.5)} where ${needs}`],
      [
        program.hidden_size ** -0.5,
        'scale',
        `scales the attention scores by 1/sqrt(hidden_size) (${short(program.hidden_size ** -0.5)}) where ${needs}`,
      ],
      ...[64, 128, 256].map((dim): [number, CauseCode, string] => [
        dim ** -0.5,
        'head_dim',
        `takes head_dim for ${dim} in the attention scale where this model has ${D}`,
      ]),
    ];
    const seen = new Set([right]);
    return candidates.flatMap(([scale, code, says]) => {
      if (seen.has(scale)) return [];
      seen.add(scale);
      return [
        attributes(
          code,
          says,
          (op) => isAttention(op) && Number(op.attributes['scale']) === right,
          () => ({ scale }),
        ),
      ];
    });
  });
}

function short(value: number): string {
  return `${Number(value.toPrecision(4))}`;
}

function masks({ config }: Subject, ops: readonly Op[]): Hypothesis[] {
  const windows = new Set(ops.filter(isAttention).map(({ attributes: { window } }) => Number(window ?? 0)));
  const configured = config['sliding_window'];
  const window = (right: number, wrong: number, says: string) =>
    attributes(
      'window',
      says,
      (op) => isAttention(op) && Number(op.attributes['window'] ?? 0) === right,
      () => ({ window: wrong }),
    );
  return [
    attributes(
      'mask',
      'lets tokens see those after them: the causal mask is missing',
      (op) => isAttention(op) && op.attributes['causal'] === true,
      () => ({ causal: false }),
    ),
    ...[...windows].flatMap((right) => {
      if (right > 0) {
        return [
          window(right, 0, `lets tokens see all tokens before them where this layer has a window of ${right}`),
          window(right, right + 1, `uses a window of ${right + 1} tokens where this layer needs ${right} (the token itself counts)`),
          ...(right > 1
            ? [window(right, right - 1, `uses a window of ${right - 1} tokens where this layer needs ${right} (the token itself counts)`)]
            : []),
        ];
      }
      if (typeof configured !== 'number' || configured < 1) return [];
      return [window(0, configured, `uses a window of ${configured} tokens where this layer has none`)];
    }),
    attributes(
      'softcap',
      'leaves out the softcap of the attention scores',
      (op) => isAttention(op) && Number(op.attributes['softcap'] ?? 0) > 0,
      () => ({ softcap: 0 }),
    ),
  ];
}

// ---- heads

function headDim(program: Program): number {
  const op = program.ops.find(({ attributes: { head_dim } }) => head_dim !== undefined);
  return Number(op?.attributes['head_dim'] ?? 0);
}

/** hidden_size / num_attention_heads, which many implementations take for head_dim; null where that is right. */
function assumedHeadDim(program: Program, config: Subject['config']): number | null {
  const count = Number(config['num_attention_heads']);
  const assumed = program.hidden_size / count;
  return Number.isInteger(assumed) && assumed !== headDim(program) ? assumed : null;
}

function heads({ program, config }: Subject): Hypothesis[] {
  const grouped = (op: Op) => isAttention(op) && isGrouped(program);
  const all = [
    hypothesis(
      'head_mapping',
      'lets query head h read KV head h modulo num_kv_heads where it is h divided by the group size',
      grouped,
      modulo,
    ),
    hypothesis('head_mapping', 'lets all query heads read KV head 0', grouped, (op, inputs, { run }) =>
      run(op, { ...inputs, k: toHeads(inputs['k'] as NdArray, () => 0), v: toHeads(inputs['v'] as NdArray, () => 0) }),
    ),
  ];
  const assumed = assumedHeadDim(program, config);
  const D = headDim(program);
  const splits = assumed !== null && assumed % 2 === 0 && D % assumed === 0 && !program.ops.some(({ op }) => op === 'qk_norm');
  if (!splits) return all;
  const says = `splits Q, K and V into heads of ${assumed} where this model has head_dim ${D}`;
  const concerns = (op: Op) => isRope(op) || isAttention(op);
  return [...all, hypothesis('head_dim', says, concerns, (op, inputs, call) => otherHeads(program, config, assumed, op, inputs, call))];
}

/** More than one KV head, each read by more than one query head. */
function isGrouped(program: Program): boolean {
  const { num_heads, num_kv_heads } = program.ops.find(({ attributes: { num_heads } }) => num_heads !== undefined)?.attributes ?? {};
  return Number(num_kv_heads) > 1 && Number(num_heads) > Number(num_kv_heads);
}

/** Queries are put into the order in which the right mapping reads the wrong heads, and the result back. */
const modulo: Change = async (op, inputs, { run }) => {
  const q = inputs['q'] as NdArray;
  const queries = q.shape[1] as number;
  const kv = inputs['k']?.shape[1] as number;
  const group = queries / kv;
  // Place n of the new order belongs to KV head n / group; the heads that read it by modulo are those with h % kv equal to it.
  const from = (n: number) => Math.floor(n / group) + (n % group) * kv;
  const place = (h: number) => (h % kv) * group + Math.floor(h / kv);
  const { o } = await run(op, { ...inputs, q: toHeads(q, from) });
  return { o: toHeads(o as NdArray, place) };
};

/** [T, N, D] with head n taken from head `from(n)`. */
function toHeads({ data, shape }: NdArray, from: (head: number) => number): NdArray {
  const [tokens = 0, count = 0, size = 0] = shape;
  const out = data.slice();
  for (let t = 0; t < tokens; t++) {
    for (let n = 0; n < count; n++) {
      const start = (t * count + from(n)) * size;
      out.set(data.subarray(start, start + size), (t * count + n) * size);
    }
  }
  return { data: out, shape };
}

async function otherHeads(
  program: Program,
  config: Subject['config'],
  size: number,
  op: Op,
  inputs: Tensors,
  call: OpCall,
): Promise<Tensors> {
  const names = ['q', 'k', 'v', 'o'];
  const split = (array: NdArray): NdArray => ({
    data: array.data,
    shape: [array.shape[0] as number, -1, size].map((n) => (n < 0 ? array.data.length / (array.shape[0] as number) / size : n)),
  });
  const given = Object.fromEntries(Object.entries(inputs).map(([name, array]) => [name, names.includes(name) ? split(array) : array]));
  const outputs = isRope(op)
    ? await call.run(withAttributes(op, { rotary_dim: size }), {
        ...given,
        ...tables(program, op, call, frequencies(configuredBase(config) ?? 10_000, size)),
      })
    : await call.run(withAttributes(op, { scale: size ** -0.5 }), given);
  const shapes = inputs as Record<string, NdArray>;
  return Object.fromEntries(
    Object.entries(outputs).map(([name, { data }]) => [name, { data, shape: (name === 'o' ? shapes['q'] : shapes[name])?.shape ?? [] }]),
  );
}

// ---- gates

const GATES: Readonly<Record<string, string>> = { silu_mul: 'SiLU', gelu_tanh_mul: 'GELU (tanh)' };

function gates(ops: readonly Op[]): Hypothesis[] {
  const own = [...new Set(ops.filter(isGate).map(({ op }) => GATES[op]))].join(' and ');
  const activates = (words: string | undefined) => `activates the gate with ${words} where this model needs ${own}`;
  const swapped = (name: 'silu_mul' | 'gelu_tanh_mul') =>
    hypothesis(
      'activation',
      activates(GATES[name]),
      (op) => isGate(op) && op.op !== name,
      (op, inputs, { run }) => run({ ...op, op: name }, inputs),
    );
  const computed = (name: Parameters<typeof gated>[0], words: string) =>
    hypothesis('activation', activates(words), isGate, (_op, inputs, { recipe }) => Promise.resolve(gated(name, inputs, recipe)));
  return [
    swapped('silu_mul'),
    swapped('gelu_tanh_mul'),
    computed('gelu', 'GELU (erf)'),
    computed('quick_gelu', 'x · sigmoid(1.702 x)'),
    computed('relu', 'ReLU'),
    computed('sigmoid', 'sigmoid'),
    hypothesis('gate_up_order', 'activates the up projection and not the gate', isGate, (op, inputs, { run }) =>
      run(op, { gate: inputs['up'] as NdArray, up: inputs['gate'] as NdArray }),
    ),
  ];
}
