// Probes: kernels with real weights and made-up inputs, each kind of input with its own outcome and a finding in the words of its author
// (docs/probes.md). What the inputs are is in probe-set.ts, the criteria are those of the sites (kernel-level.ts).

import type { NumericThresholds } from '../config/types.js';
import { KernelError, type Kernel, type KernelDevice, type Violation } from '../kernels/kernel.js';
import { remembered, type Keeper, type Key } from '../reference/keeper.js';
import type { NdArray } from '../reference/ndarray.js';
import type { KernelResult, ServingDtype } from '../report/types.js';
import { judgeMeasure, place } from './kernel-level.js';
import { floorsOf, measure, yardstick, type Measure } from './measure.js';
import { oneSequence, takeRows } from './probe-inputs.js';
import type { Probe, ProbeSet, Trial } from './probe-set.js';
import { describeRows, differingRows, rowNames, wrongRows, type Compared } from './rows.js';
import { callKernel, type Tensors } from './site.js';

export type ProbeResult = NonNullable<KernelResult['probes']>[number];

interface Criteria {
  readonly dtype: ServingDtype;
  readonly limits: NumericThresholds;
}

interface ProbesContext extends Criteria {
  /** Has what answers were judged to be in the last run; default: there is none. */
  readonly keeper?: Keeper | null;
}

interface Answered {
  readonly trial: Trial;
  readonly outputs: Tensors;
  readonly violations: readonly Violation[];
}

/** An answer beside what the reference makes of its inputs. */
interface Known extends Answered {
  readonly reference: Awaited<ReturnType<Trial['reference']>>;
  readonly floors: Awaited<ReturnType<Trial['floors']>>;
}

type Outcome = Pick<ProbeResult, 'status' | 'detail'>;

/** A kernel that gave no answer in this many probes is not asked again: each time may be a time-out. */
const MOST_FAILURES = 2;

/** The things that a kernel must leave alone, seen by its backend. */
const CHECKS: Readonly<Record<Violation['check'], string>> = {
  outputs_written: 'every element of every output was written',
  guard_bands: 'nothing was written beside the outputs',
  inputs_unchanged: 'the inputs were left as they were',
};

/** Runs all probes of a kernel, at one site after the other. What it does wrong never throws. */
export async function runProbes(
  context: ProbesContext,
  sets: readonly ProbeSet[],
  kernel: Kernel,
  device: KernelDevice,
): Promise<ProbeResult[]> {
  const at: ProbedAt[] = [];
  for (const set of sets) {
    const results = await probesAt(context, set, kernel, device);
    at.push({ place: place(set.site), results });
    // A kernel that gives no answer is not asked again elsewhere.
    if (results.some(({ status }) => status === 'inconclusive')) break;
  }
  return joined(at);
}

interface ProbedAt {
  readonly place: string;
  readonly results: readonly ProbeResult[];
}

/** One result per probe: the worst, with the places that gave it. */
function joined(at: readonly ProbedAt[]): ProbeResult[] {
  const names = [...new Set(at.flatMap(({ results }) => results.map(({ name }) => name)))];
  return names.map((name): ProbeResult => {
    const each = at.flatMap(({ place: where, results }) => results.filter((one) => one.name === name).map((one) => ({ ...one, where })));
    const status = (['fail', 'inconclusive'] as const).find((level) => each.some((one) => one.status === level)) ?? 'pass';
    const worst = each.filter((one) => one.status === status);
    const { detail } = worst[0] as ProbeResult;
    const places = worst.map(({ where }) => where).join(', ');
    return { name, status, detail: at.length === 1 || status === 'pass' ? detail : `${detail} (weights of ${places})` };
  });
}

async function probesAt(context: ProbesContext, set: ProbeSet, kernel: Kernel, device: KernelDevice): Promise<ProbeResult[]> {
  const { probes, weights } = set;
  const seen = violationLog();
  const given = copied(weights);
  let calls = 0;
  const ask = async (trial: Trial): Promise<Answered> => {
    // A kernel in this thread gets the arrays themselves, so it gets copies.
    const inputs = copied(trial.inputs);
    const { outputs, violations } = await callKernel(context, kernel, trial.site, { ...inputs, ...given }, oneSequence(inputs));
    calls++;
    const changed = differingRows(trial.inputs, inputs) ?? differingRows(weights, given);
    if (changed !== null) Object.assign(given, copied(weights));
    const found: Violation[] =
      changed === null ? [] : [{ check: 'inputs_unchanged', detail: `${changed.rows} of ${changed.name} ${changed.was} changed` }];
    const answered = { trial, outputs, violations: [...violations, ...found] };
    seen.add(answered);
    return answered;
  };

  const results: ProbeResult[] = [];
  for (const probe of probes) {
    const failures = results.filter(({ status }) => status === 'inconclusive').length;
    results.push({
      name: probe.name,
      ...(failures < MOST_FAILURES
        ? await runProbe(context, probe, ask, { ...set.depends, kernel: kernel.name })
        : { status: 'inconclusive', detail: 'not run, because the kernel gave no answer in the probes before' }),
    });
  }
  return [...results, ...seen.results(device.observes ?? [], calls)];
}

/** @param by what its outcome depends on, beside the inputs and the answers */
async function runProbe(
  { dtype, limits, keeper }: ProbesContext,
  probe: Probe,
  ask: (trial: Trial) => Promise<Answered>,
  by: Readonly<Record<string, unknown>>,
): Promise<Outcome> {
  const answers: Answered[] = [];
  for (const trial of probe.trials) {
    try {
      answers.push(await ask(trial));
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
      return { status: 'inconclusive', detail: `${trial.shape}: ${error.message}` };
    }
  }
  const { name, rule, tried } = probe;
  const key = (): Key => {
    const trials = answers.map(({ trial: { shape, rows, copies }, violations }) => ({ shape, rows, copies, violations }));
    const tensors = answers.flatMap(({ trial, outputs }, i) => [...named(`${i} given`, trial.inputs), ...named(`${i} answered`, outputs)]);
    return {
      what: 'probed',
      depends: { ...by, dtype, limits, name, rule, tried, trials },
      tensors: Object.fromEntries(tensors),
      last: true,
    };
  };
  const { note } = await remembered(keeper, key, async () => ({ tensors: {}, note: await judge({ dtype, limits }, probe, answers) }));
  return note as Outcome;
}

function named(prefix: string, tensors: Tensors): [string, NdArray][] {
  return Object.entries(tensors).map(([name, array]) => [`${prefix} ${name}`, array]);
}

async function judge(criteria: Criteria, probe: Probe, answers: readonly Answered[]): Promise<Outcome> {
  const known = await Promise.all(
    answers.map(async (answered): Promise<Known> => {
      const { reference, floors } = answered.trial;
      return { ...answered, reference: await reference(), floors: await floors() };
    }),
  );
  switch (probe.rule) {
    case 'repeats':
      return judgeRepeats(criteria, known, probe.tried);
    case 'batch':
      return judgeBatch(criteria, known, probe.tried);
    default:
      return judgeTrials(criteria, known, probe);
  }
}

/** The first finding in full, then where else there was one. */
function judgeTrials(criteria: Criteria, answers: readonly Known[], { rule, tried }: Probe): Outcome {
  const failing = answers.flatMap((answered) => {
    const finding = findingOf(criteria, answered, rule === 'finite');
    return finding === null ? [] : [{ finding, shape: answered.trial.shape }];
  });
  const [first, ...others] = failing;
  if (first === undefined) return { status: 'pass', detail: tried };
  const also = others.length === 0 ? '' : `; also for ${others.map(({ shape }) => shape).join(', ')}`;
  return { status: 'fail', detail: `${first.finding} for ${first.shape}${also}` };
}

/** What is wrong with an answer by the criteria of the sites; null: nothing. */
function findingOf({ dtype, limits }: Criteria, answered: Known, onlyFinite: boolean): string | null {
  for (const [name, compared] of comparisons(answered, dtype)) {
    const { level, detail } = judgeMeasure(compared.measure, dtype, limits);
    if (onlyFinite ? compared.measure.non_finite === 0 : level !== 'fail') continue;
    const written = !answered.violations.some(
      ({ check, detail: text }) => check === 'outputs_written' && new RegExp(`\\b${name}\\b`).test(text),
    );
    const wrong = wrongRows(compared, limits.warn_ratio);
    return describeRows(name, compared, wrong, written) ?? `${name}: ${detail ?? 'not finite'}`;
  }
  return null;
}

/** The compared rows of each output beside the oracle's. */
function comparisons(answered: Known, dtype: ServingDtype): [string, Compared][] {
  const { trial, outputs, reference } = answered;
  return Object.entries(outputs).map(([name, output]) => {
    const oracle = reference.oracle[name] as NdArray;
    const all = trial.rows.length === oracle.shape[0];
    const part = ({ data }: NdArray): NdArray['data'] =>
      all || trial.rows.length === 1 ? data : (takeRows({ it: { data, shape: oracle.shape } }, trial.rows)['it'] as NdArray).data;
    const fused = part(output) as Float32Array;
    const exact = part(oracle) as Float64Array;
    const recipes = reference.recipes.map((values) => part(values[name] as NdArray) as Float32Array);
    const known = FLOORS.get(trial)?.[name] ?? floorsOf(exact, recipes, dtype);
    FLOORS.set(trial, { ...FLOORS.get(trial), [name]: known });
    const measured = steadied(measure(fused, yardstick(exact, recipes, dtype, known)), name, answered);
    return [name, { fused, oracle: exact, measure: measured, rows: trial.rows }];
  });
}

/** Floors of trials by output: all kernels of an op, and all calls with the same inputs, are judged by the same ones. */
const FLOORS = new WeakMap<Trial, Readonly<Record<string, readonly number[]>>>();

/** A measure of few rows, or of one row many times, claims no more than it shows. */
function steadied(measured: Measure, output: string, { trial: { copies }, floors }: Known): Measure {
  const { rms_floor = 0, max_floor = 0 } = floors[output] ?? {};
  return {
    ...measured,
    rms_floor: Math.max(measured.rms_floor, rms_floor),
    max_floor: Math.max(measured.max_floor, max_floor),
    scale: { mean: measured.scale.mean, standard_error: measured.scale.standard_error * Math.sqrt(copies) },
  };
}

/** Answers to the same trial are the same to the last bit, whatever was asked between; and what was asked between shows nothing of them. */
function judgeRepeats(criteria: Criteria, [first, ...others]: readonly Known[], tried: string): Outcome {
  const wrong = (answered: Known | undefined) => (answered === undefined ? null : findingOf(criteria, answered, false));
  for (const other of others) {
    const same = other.trial === first?.trial;
    const difference = differingRows(first?.outputs ?? {}, other.outputs);
    const shape = other.trial.shape;
    if (same && difference !== null) {
      const { rows, name, count } = difference;
      const verb = count === 1 ? 'differs' : 'differ';
      return { status: 'fail', detail: `${rows} of ${name} ${verb} between calls with the same inputs for ${shape}` };
    }
    if (!same && difference === null)
      return { status: 'fail', detail: `a call with other inputs gives the answer of the call before for ${shape}` };
  }
  // A row or two may be left over. What is wrong in every call is for the other probes to say.
  const between = others.find(({ trial }) => trial !== first?.trial);
  const leftOver = wrong(first) === null ? wrong(between) : null;
  if (leftOver !== null)
    return { status: 'fail', detail: `${leftOver} in a call between, with other inputs of the same shape, ${between?.trial.shape}` };
  return { status: 'pass', detail: `bitwise equal in ${tried}` };
}

/**
 * Rows give the same alone, in a batch and beside a large row: within the noise of correct implementations, since which order a product is
 * summed in may depend on its size.
 */
function judgeBatch({ dtype, limits }: Criteria, [whole, ...others]: readonly Known[], tried: string): Outcome {
  const base = new Map(whole === undefined ? [] : comparisons(whole, dtype));
  let differing = 0;
  for (const { trial, outputs } of others) {
    for (const [name, output] of Object.entries(outputs)) {
      const { fused: all, measure: floors, rows: batch } = base.get(name) as Compared;
      const width = all.length / batch.length;
      const array = { data: output.data, shape: [output.data.length / width, width] };
      const beside = trial.rows.length === 1 ? array : (takeRows({ it: array }, trial.rows)['it'] as NdArray);
      const expected = (takeRows({ it: { data: all, shape: [batch.length, width] } }, trial.rows)['it'] as NdArray).data;
      const compared = { fused: beside.data as Float32Array, oracle: Float64Array.from(expected), measure: floors, rows: trial.rows };
      const wrong = wrongRows(compared, limits.warn_ratio).map((i) => trial.rows[i] as number);
      if (wrong.length > 0) {
        const verb = wrong.length === 1 ? 'differs' : 'differ';
        const where =
          trial.rows.length === 1
            ? `alone and in a batch (${whole?.trial.shape})`
            : `with and without a large row beside for ${trial.shape}`;
        return { status: 'fail', detail: `${rowNames(wrong)} of ${name} ${verb} ${where}` };
      }
      if (beside.data.some((value, i) => value !== expected[i])) differing++;
    }
  }
  return {
    status: 'pass',
    detail: `${tried}: ${differing === 0 ? 'bitwise equal' : 'within the noise of correct implementations, not bitwise equal'}`,
  };
}

/** The first violation of each kind. */
function violationLog() {
  const first = new Map<Violation['check'], string>();
  return {
    add(answered: Answered) {
      for (const { check, detail } of answered.violations) {
        if (!first.has(check)) first.set(check, detail.includes(' for T = ') ? detail : `${detail} for ${answered.trial.shape}`);
      }
    },
    /** Checks that the backend cannot make are left out, unless one failed all the same. */
    results: (observed: readonly Violation['check'][], calls: number): ProbeResult[] =>
      (Object.keys(CHECKS) as Violation['check'][]).flatMap((name): ProbeResult[] => {
        const detail = first.get(name);
        if (detail !== undefined) return [{ name, status: 'fail', detail }];
        return observed.includes(name) && calls > 0 ? [{ name, status: 'pass', detail: `${CHECKS[name]} in ${calls} calls` }] : [];
      }),
  };
}

function copied(tensors: Tensors): Record<string, NdArray> {
  return Object.fromEntries(Object.entries(tensors).map(([name, { data, shape }]) => [name, { data: data.slice(), shape }]));
}
