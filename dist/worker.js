import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  MAX_NEW_TOKENS,
  PROMPTS,
  buildProgram,
  callKernel,
  checkWeights,
  digest,
  endTokens,
  firstNonFinite,
  fusedLane,
  generate,
  joinPrompts,
  joinRows,
  keeperOf,
  kernelNames,
  laneInputs,
  laneOutputs,
  logitsMeter,
  lookedAt,
  matrices,
  namesOf,
  openCheckpoint,
  perSegment,
  readTexts,
  refuseUnlessRunnable,
  remembered,
  roomAfter,
  rotaryAt,
  rows,
  runSite,
  runStep,
  seesOtherTokens,
  siteWeights,
  walk,
  wholeTensor
} from "./chunk-JRBNYZKX.js";
import {
  openFolder,
  readModelConfig
} from "./chunk-D6SERIA7.js";
import {
  unfusedName
} from "./chunk-CPDI2S7W.js";
import {
  onnxruntimeKernel
} from "./chunk-K7JK76OL.js";
import {
  KernelError,
  LARGEST_FINITE,
  elsewhere,
  limitOf,
  roundToFloat16,
  roundToServing
} from "./chunk-S2ZBP3JJ.js";
import {
  CONTRACTS
} from "./chunk-OWGKBW5B.js";
import {
  printable
} from "./chunk-NAEFPM7V.js";
import {
  startHands
} from "./chunk-QBZB7LDU.js";
import {
  attentionMask,
  createOpRunner,
  roundsBeforeWeight
} from "./chunk-DJ56H66L.js";
import {
  ORACLE,
  distinctRecipes,
  eager,
  loadOnnxRuntime,
  onnxruntimeVersion,
  roundsOutputs,
  sameRecipe,
  validRecipes
} from "./chunk-CKWNN2OS.js";
import "./chunk-AHTNRT6P.js";
import {
  ModelError,
  init_errors,
  plainError
} from "./chunk-QZ7MPQQF.js";
import "./chunk-H45APEIH.js";

// src/worker.ts
init_errors();
import { parentPort, workerData } from "node:worker_threads";

// src/diff/rows.ts
function wrongRows({ fused, oracle, measure: measure2, rows: rows2 }, ratio) {
  const width = oracle.length / rows2.length;
  return [...rows2.keys()].filter((i) => {
    let sum = 0;
    for (let at = i * width; at < (i + 1) * width; at++) {
      if (!Number.isFinite(oracle[at])) continue;
      const error = Math.abs(fused[at] - oracle[at]);
      if (!(error <= ratio * measure2.max_floor)) return true;
      sum += error * error;
    }
    return Math.sqrt(sum / width) > ratio * measure2.rms_floor;
  });
}
function describeRows(output, compared, wrong, written) {
  if (wrong.length === 0) return null;
  const named3 = wrong.map((i) => compared.rows[i]);
  const words3 = wrong.length === compared.rows.length && wrong.length > 1 ? `all ${wrong.length} rows` : rowNames(named3);
  const [is, was] = wrong.length === 1 ? ["is", "was"] : ["are", "were"];
  if (!written) return `${words3} of ${output} ${was} not written`;
  return `${words3} of ${output} ${is} ${fault(compared, wrong)}`;
}
function tokenName({ segments }, token) {
  const prompt = segments.findIndex(({ end }) => token < end);
  const position = `position ${token - (segments[prompt]?.start ?? 0)}`;
  return segments.length > 1 ? `prompt ${prompt + 1}, ${position}` : position;
}
function rowNames(rows2) {
  const first = rows2[0];
  const last = rows2.at(-1);
  if (rows2.length === 1) return `row ${first}`;
  const step = rows2[1] - first;
  if (step > 1 && rows2.length > 3 && rows2.every((row, i) => row === first + i * step)) {
    return `every ${ordinal(step)} row from ${first} to ${last}`;
  }
  const ranges = [];
  for (const row of rows2) {
    const open = ranges.at(-1);
    if (open !== void 0 && open[1] === row - 1) open[1] = row;
    else ranges.push([row, row]);
  }
  const shown = ranges.slice(0, RANGES_SHOWN);
  const left = rows2.length - shown.reduce((sum, [start, end]) => sum + end - start + 1, 0);
  const names = [
    ...shown.map(([start, end]) => start === end ? `${start}` : `${start} to ${end}`),
    ...left > 0 ? [`${left} more`] : []
  ];
  return `rows ${names.length === 1 ? names[0] : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`}`;
}
var RANGES_SHOWN = 4;
function ordinal(n) {
  const tens = n % 100;
  const ending = tens >= 11 && tens <= 13 ? "th" : ["th", "st", "nd", "rd"][n % 10] ?? "th";
  return `${n}${ending}`;
}
var ONE_FACTOR = 0.02;
var LEAST_FACTOR = 1e-3;
function fault({ fused, oracle, measure: measure2, rows: rows2 }, wrong) {
  const width = oracle.length / rows2.length;
  const seen = { finite: 0, nan: 0, zero: 0, largest: 0 };
  const factors = [];
  for (const row of wrong) {
    for (let at = row * width; at < (row + 1) * width; at++) {
      const value = fused[at];
      const expected = oracle[at];
      if (!Number.isFinite(value)) {
        if (Number.isFinite(expected)) seen.nan++;
        continue;
      }
      seen.finite++;
      if (value === 0) seen.zero++;
      seen.largest = Math.max(seen.largest, Math.abs(value - expected));
      if (Math.abs(expected) >= measure2.rms_oracle / 16 && expected !== 0) factors.push(value / expected);
    }
  }
  if (seen.nan > 0) return seen.finite === 0 ? "NaN or infinite" : `NaN or infinite in ${seen.nan} of ${seen.nan + seen.finite} elements`;
  if (seen.zero === seen.finite) return "0";
  const mean = factors.reduce((sum, factor) => sum + factor, 0) / Math.max(1, factors.length);
  const alike = factors.length > 1 && factors.every((factor) => Math.abs(factor / mean - 1) < ONE_FACTOR);
  if (alike && Math.abs(mean - 1) > LEAST_FACTOR) return `off by a factor of ${mean.toPrecision(4)}`;
  return `wrong (by up to ${seen.largest.toPrecision(2)}; correct ones by ${measure2.max_floor.toPrecision(2)})`;
}
function differingRows(a, b) {
  for (const [name, { data, shape }] of Object.entries(a)) {
    const other = b[name].data;
    const width = data.length / (shape[0] ?? 1);
    const wrong = /* @__PURE__ */ new Set();
    for (let at = 0; at < data.length; at++)
      if (data[at] !== other[at] && !Object.is(data[at], other[at])) wrong.add(Math.floor(at / width));
    if (wrong.size > 0) return { rows: rowNames([...wrong]), count: wrong.size, name, was: wrong.size === 1 ? "was" : "were" };
  }
  return null;
}

// src/diff/model-level.ts
var LEAST_RELATIVE = 1e-9;
var LEAST_KL = 1e-14;
function layerMeter(program, lanes) {
  const relative = program.layer_outputs.map(() => []);
  const absolute = program.layer_outputs.map(() => []);
  const final = [];
  const last = program.hidden.at(-1);
  const store = (value, lane, data) => {
    const { error, size } = distance(data, lanes[0]?.values.get(value)?.data);
    const layer = program.layer_outputs.indexOf(value);
    if (layer < 0) final[lane] = error;
    else {
      relative[layer][lane] = error === 0 ? 0 : error / size;
      absolute[layer][lane] = error;
    }
  };
  let pending = [];
  return {
    relative,
    absolute,
    final,
    afterOp(op) {
      for (const value of Object.values(op.outputs)) {
        if (value === last || program.layer_outputs.includes(value)) pending.push(...lanes.slice(1).map((_, lane) => ({ value, lane })));
      }
      pending = pending.filter(({ value, lane }) => {
        const data = lanes[lane + 1]?.values.get(value)?.data;
        if (data !== void 0) store(value, lane, data);
        return data === void 0;
      });
    }
  };
}
function distance(data, oracle) {
  let error = 0;
  let size = 0;
  for (let i = 0; i < oracle.length; i++) {
    const expected = oracle[i];
    const delta = data[i] - expected;
    error += delta * delta;
    size += expected * expected;
  }
  return { error: Math.sqrt(error / oracle.length), size: Math.sqrt(size / oracle.length) };
}
function modelLevels(evidence) {
  return evidence.assemblies.map((_, i) => assemblyLevel(evidence, i));
}
var SEVERITY = ["pass", "warn", "inconclusive", "fail"];
function worstLevel(levels) {
  const [first] = levels;
  if (first === void 0) return null;
  return levels.reduce((worst, level) => {
    const bySeverity = SEVERITY.indexOf(level.status) - SEVERITY.indexOf(worst.status);
    return bySeverity > 0 || bySeverity === 0 && (level.kl_ratio ?? 0) > (worst.kl_ratio ?? 0) ? level : worst;
  }, first);
}
function assemblyLevel(evidence, assembly) {
  const { program, recipes, logits, layers, limits } = evidence;
  const lane = recipes.length + assembly;
  const { placements, failure } = evidence.assemblies[assembly];
  const kls = recipes.map((_, i) => logits.kl[i]);
  const floor = Math.max(...kls, LEAST_KL);
  const klFused = logits.kl[lane];
  const ratio = klFused / floor;
  const first = placements[0];
  const injected = first === void 0 ? null : evidence.injected(first);
  const grown = (error) => injected === null || injected.rms === 0 || error === void 0 ? null : finite(error / injected.rms);
  const base = {
    kl_fused: finite(klFused),
    kl_floor: finite(floor),
    kl_ratio: finite(ratio),
    kl_recipes: Object.fromEntries(recipes.map((name, i) => [name, finite(kls[i])])),
    top1_agreement: logits.top1_agreement[lane] ?? null,
    decisive_flips: logits.decisive_flips[lane] ?? null,
    positions: logits.positions,
    perplexity: { oracle: logits.perplexity[0] ?? null, eager: logits.perplexity[1] ?? null, fused: logits.perplexity[lane + 1] ?? null },
    amplification: grown(layers.final[lane]),
    amplification_curve: program.layer_outputs.map((_, layer) => grown(layers.absolute[layer]?.[lane])),
    sensitivity: first === void 0 ? null : evidence.sensitivity,
    first_layer_above_floor: leftFloor(evidence, lane),
    responsible: null,
    layers: layerTable(evidence, placements, lane)
  };
  if (failure !== null) {
    return {
      ...base,
      kl_fused: null,
      kl_ratio: null,
      top1_agreement: null,
      decisive_flips: null,
      amplification: null,
      amplification_curve: program.layer_outputs.map(() => null),
      first_layer_above_floor: null,
      status: "inconclusive",
      detail: failure
    };
  }
  return { ...base, ...judgeLogits(logits, evidence.sequence, recipes.length, lane, ratio, limits) };
}
function judgeLogits(logits, sequence, recipes, lane, ratio, limits) {
  const broken = (index) => logits.non_finite[index] ?? 0;
  const at = (index) => `at ${broken(index)} of ${logits.positions} positions (the first: ${tokenName(sequence, logits.first_non_finite[index] ?? 0)})`;
  if (broken(0) > 0) return { status: "inconclusive", detail: `the oracle's own logits are not finite ${at(0)}` };
  for (let i = 0; i < recipes; i++) {
    if (broken(i + 1) > 0) {
      return {
        status: "inconclusive",
        detail: `the logits of a valid recipe overflow the serving dtype ${at(i + 1)}, so there is no noise floor`
      };
    }
  }
  if (broken(lane + 1) > 0)
    return {
      status: "fail",
      detail: `the fused model's logits are NaN or infinite ${at(lane + 1)}`
    };
  const flips = logits.decisive_flips[lane] ?? 0;
  if (flips > 0)
    return {
      status: "fail",
      detail: `${flips} decisive flips: another token comes first although the oracle's margin is over ${limits.decisive_margin} times the logit noise`
    };
  if (ratio > limits.warn_ratio) return { status: "fail", detail: null };
  return { status: ratio > limits.pass_ratio ? "warn" : "pass", detail: null };
}
function modelJudgement({ status, detail, kl_ratio }, limits) {
  if (status === "pass") return { level: status, detail: null };
  const limit = status === "fail" ? limits.warn_ratio : limits.pass_ratio;
  return { level: status, detail: detail ?? `kl_ratio ${kl_ratio === null ? "is not finite" : `${kl_ratio.toPrecision(3)} > ${limit}`}` };
}
function layerTable({ program, recipes, layers, injected }, placements, lane) {
  return program.layer_outputs.map((_, layer) => {
    const relative = layers.relative[layer] ?? [];
    const own = placements.filter(({ site }) => site.layer === layer).flatMap((placement) => injected(placement)?.relative ?? []);
    return {
      layer,
      injected: own.length === 0 ? null : finite(Math.max(...own)),
      inherited: finite(relative[lane]),
      floor: finite(Math.max(...recipes.map((_name, i) => relative[i] ?? NaN)))
    };
  });
}
function leftFloor({ recipes, layers, limits }, lane) {
  const layer = layers.relative.findIndex((relative) => {
    const error = relative[lane];
    return error !== void 0 && !(error <= limits.pass_ratio * Math.max(LEAST_RELATIVE, ...recipes.map((_name, i) => relative[i] ?? NaN)));
  });
  return layer < 0 ? null : layer;
}
function finite(value) {
  return value !== void 0 && Number.isFinite(value) ? value : null;
}

// src/diff/bisection.ts
var MOST_WALKS = 8;
var MOST_LANES = 8;
async function findResponsible({ placements, full, fails, trial }) {
  const tries = limited(trial);
  const suspects = placements.filter(fails);
  const proven = await bySuspects(suspects, placements, full, tries);
  if (proven !== null) return proven.map(named);
  const kernels = byKernel(placements);
  const alone = kernels.length === 1 ? [{ placements, ...full }] : await tries(kernels) ?? [];
  const responsible = [];
  for (const part of alone.filter(({ reproduces }) => reproduces)) responsible.push(await narrowed(part, tries));
  return responsible.map(named);
}
function limited(trial) {
  let walks = 0;
  return async (subsets) => {
    const needed = Math.ceil(subsets.length / MOST_LANES);
    if (walks + needed > MOST_WALKS) return null;
    walks += needed;
    const parts = [];
    for (let start = 0; start < subsets.length; start += MOST_LANES) {
      const chosen = subsets.slice(start, start + MOST_LANES);
      const outcomes = await trial(chosen);
      for (const [i, placements] of chosen.entries()) parts.push({ placements, ...outcomes[i] });
    }
    return parts;
  };
}
async function bySuspects(suspects, all, full, tries) {
  if (suspects.length === 0) return null;
  const kernels = byKernel(suspects);
  const rest = all.filter((placement) => !suspects.includes(placement));
  if (rest.length === 0 && kernels.length === 1) return [{ placements: all, ...full }];
  const parts = await tries([...rest.length === 0 ? [] : [rest], ...kernels]);
  if (parts === null) return null;
  const guilty = (rest.length === 0 ? parts : parts.slice(1)).filter(({ reproduces }) => reproduces);
  const innocent = rest.length === 0 || parts[0]?.reproduces === false;
  return innocent && guilty.length > 0 ? guilty : null;
}
async function narrowed(part, tries) {
  let known = part;
  for (; ; ) {
    const groups = split(known.placements);
    const parts = groups.length < 2 ? null : await tries(groups);
    const hits = parts?.filter(({ reproduces }) => reproduces) ?? [];
    if (hits.length === 0 || hits.length === groups.length) return known;
    const [first] = hits;
    const together = hits.flatMap(({ placements }) => placements);
    known = hits.length === 1 ? first : (await tries([together]))?.[0] ?? { ...first, placements: together };
  }
}
function split(placements) {
  const layers = [...new Set(placements.map(({ site }) => site.layer))];
  const count = Math.min(MOST_LANES, layers.length);
  const group = new Map(layers.map((layer, i) => [layer, Math.floor(i * count / layers.length)]));
  const groups = Array.from({ length: count }, () => []);
  for (const placement of placements) groups[group.get(placement.site.layer)]?.push(placement);
  return groups;
}
function byKernel(placements) {
  const kernels = [...new Set(placements.map(({ kernel }) => kernel))];
  return kernels.map((kernel) => placements.filter((placement) => placement.kernel === kernel));
}
function named({ placements, kl_ratio }) {
  const layers = [...new Set(placements.flatMap(({ site }) => site.layer ?? []))].sort((a, b) => a - b);
  return { kernel: placements[0]?.kernel.name ?? "", layers, kl_ratio };
}
function walkTrial(context) {
  const { limits, targets, level } = context;
  return async (subsets) => {
    const failures = subsets.map(() => []);
    const oracle = { recipe: ORACLE, values: /* @__PURE__ */ new Map(), standIns: /* @__PURE__ */ new Map() };
    const lanes = [oracle, ...subsets.map((placements, i) => fusedLane(context, placements, oracle, failures[i]))];
    const meter = logitsMeter(lanes.length, targets);
    await walk({
      ...context,
      lanes,
      scanAll: false,
      keep: lookedAt(subsets.flat().map(({ site }) => site)),
      afterOp: () => Promise.resolve(),
      logits: (start, blocks) => meter.add(start, blocks)
    });
    const logits = meter.summarise([], limits.decisive_margin, context.noise);
    return subsets.map((_, lane) => {
      if (failures[lane]?.length !== 0) return { reproduces: false, kl_ratio: null };
      const ratio = logits.kl[lane] / Math.max(level.kl_floor ?? 0, LEAST_KL);
      const { status } = judgeLogits(logits, context.sequence, 0, lane, ratio, limits);
      return {
        reproduces: SEVERITY.indexOf(status) >= SEVERITY.indexOf(level.status) && status !== "inconclusive",
        kl_ratio: Number.isFinite(ratio) ? ratio : null
      };
    });
  };
}

// src/diff/measure.ts
var UNIT_ROUNDOFF = { bfloat16: 2 ** -8, float16: 2 ** -11, float32: 2 ** -24 };
var LEAST_FLOOR = {
  bfloat16: 2 ** -126,
  float16: 2 ** -24 / Math.sqrt(12),
  float32: 2 ** -126
};
function yardstick(oracle, recipes, dtype, floors = floorsOf(oracle, recipes, dtype)) {
  const [rms_oracle = NaN, rms_floor = NaN, max_floor = NaN, scale_floor = NaN] = floors;
  return { dtype, oracle, recipes, rms_oracle, rms_floor, max_floor, scale_floor, inverse: inverses(oracle, rms_oracle) };
}
function floorsOf(oracle, recipes, dtype) {
  const rounded = roundToServing(new Float32Array(oracle), dtype);
  const rmsOracle = rootMeanSquare(oracle);
  const inverse = inverses(oracle, rmsOracle);
  const recipeErrors = [...new Set(recipes)].map((recipe) => errors(recipe, oracle, inverse));
  const roundingError = errors(rounded, oracle, inverse);
  const least = Math.max(UNIT_ROUNDOFF[dtype] * rmsOracle * 2 ** -4, LEAST_FLOOR[dtype]);
  return [
    rmsOracle,
    Math.max(recipeErrors[0]?.rms ?? 0, roundingError.rms, least),
    Math.max(...recipeErrors.map(({ max }) => max), roundingError.max, least),
    Math.max(...recipeErrors.map(({ scale }) => Math.abs(scale.mean)))
  ];
}
function yardstickOf(name, oracle, recipes, dtype) {
  const given = recipes.map((values) => values[name].data);
  return yardstick(oracle[name].data, given, dtype);
}
function measure(fused, { dtype, oracle, recipes, inverse, ...floors }) {
  const eager2 = recipes[0];
  const error = errors(fused, oracle, inverse);
  const equal = new Map([...new Set(recipes)].map((recipe) => [recipe, equalCount(fused, recipe)]));
  return {
    elements: fused.length,
    ...difference(fused, eager2),
    ...ulps(orderedBits(fused, dtype), orderedBits(eager2, dtype)),
    rms_error: error.rms,
    max_error: error.max,
    non_finite: error.nonFinite,
    first_non_finite: error.first,
    scale: error.scale,
    ...floors,
    equal_to: recipes.map((recipe) => equal.get(recipe))
  };
}
function rootMeanSquare(values) {
  let sum = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (Number.isFinite(value)) sum += value * value;
  }
  return Math.sqrt(sum / Math.max(1, values.length));
}
function inverses(oracle, rms) {
  const threshold = rms / 16;
  const out = new Float64Array(oracle.length);
  for (let i = 0; i < oracle.length; i++) {
    const value = oracle[i];
    if (Math.abs(value) >= threshold && value !== 0 && Number.isFinite(value)) out[i] = 1 / value;
  }
  return out;
}
function errors(values, oracle, inverse) {
  let first = null;
  let [sum, max, nonFinite, count, relatives, squares] = [0, 0, 0, 0, 0, 0];
  for (let i = 0; i < oracle.length; i++) {
    const expected = oracle[i];
    const delta = values[i] - expected;
    const size = Math.abs(delta);
    if (size <= Number.MAX_VALUE) {
      sum += delta * delta;
      if (size > max) max = size;
      const factor = inverse[i];
      if (factor !== 0) {
        const relative = delta * factor;
        count++;
        relatives += relative;
        squares += relative * relative;
      }
    } else if (Number.isFinite(expected)) {
      nonFinite++;
      first ??= i;
    }
  }
  const mean = count === 0 ? 0 : relatives / count;
  const variance = Math.max(0, squares - mean * relatives) / (count - 1);
  return {
    rms: Math.sqrt(sum / Math.max(1, oracle.length)),
    max,
    nonFinite,
    first,
    scale: { mean, standard_error: count < 2 ? Infinity : Math.sqrt(variance / count) }
  };
}
function difference(fused, eager2) {
  let max = 0;
  let sum = 0;
  for (let i = 0; i < fused.length; i++) {
    const delta = Math.abs(fused[i] - eager2[i]);
    if (delta <= Number.MAX_VALUE) {
      sum += delta;
      if (delta > max) max = delta;
    }
  }
  return { max_abs_diff: max, sum_abs_diff: sum };
}
function orderedBits(values, dtype) {
  const out = new Int32Array(values.length);
  if (dtype === "float16") {
    const bits2 = roundToFloat16(values);
    for (let i = 0; i < out.length; i++) out[i] = ordered(bits2[i] << 16 | 0, 16);
    return out;
  }
  const bits = new Int32Array(values.buffer, values.byteOffset, values.length);
  const shift = dtype === "bfloat16" ? 16 : 0;
  for (let i = 0; i < out.length; i++) out[i] = ordered(bits[i], shift);
  return out;
}
function ordered(bits, shift) {
  const magnitude = (bits & 2147483647) >>> shift;
  return bits < 0 ? -magnitude : magnitude;
}
var ULP_BOUNDS = [0, 1, 2, 4, 8];
function ulps(a, b) {
  const counts = [0, 0, 0, 0, 0, 0];
  let max = 0;
  for (let i = 0; i < a.length; i++) {
    const distance3 = Math.abs(a[i] - b[i]);
    if (distance3 > max) max = distance3;
    let bin = 0;
    while (bin < ULP_BOUNDS.length && distance3 > ULP_BOUNDS[bin]) bin++;
    counts[bin] = counts[bin] + 1;
  }
  return { max_ulp: max, ulp_counts: counts, bitwise_equal: counts[0] };
}
function equalCount(a, b) {
  let equal = 0;
  for (let i = 0; i < a.length; i++) if (a[i] === b[i]) equal++;
  return equal;
}

// src/diff/kernel-level.ts
function kernelRecord(kernel, device, recipes, dtype, limits) {
  const entries = [];
  let failure = device instanceof KernelError ? device.message : null;
  let violation = null;
  let probes = null;
  let conclusion = null;
  let canaries = [];
  let control = null;
  let unreached = null;
  const sites = /* @__PURE__ */ new Set();
  return {
    add(site, output, measure2, sequence) {
      sites.add(site);
      entries.push({ site, output, measure: measure2, sequence });
    },
    unreached(reason) {
      unreached = { level: "inconclusive", detail: reason };
    },
    fail(site, message) {
      failure ??= `${place(site)}: ${message}`;
    },
    violate(site, violations) {
      const [first] = violations;
      if (first !== void 0) violation ??= { site, detail: `${place(site)}: ${first.detail}` };
    },
    conclude(judgement, site) {
      conclusion = judgement;
      if (site !== void 0) sites.add(site);
    },
    probed(given) {
      probes = [...given];
    },
    watched(given) {
      canaries = given.map((canary) => ({ kernel: kernel.name, ...canary }));
    },
    controlled(given) {
      control = given;
    },
    get canaries() {
      return canaries;
    },
    fails: (site) => entries.some((entry) => entry.site === site && judge(entry, dtype, limits).level === "fail"),
    get failed() {
      return failure !== null;
    },
    injected(site) {
      const here = entries.filter((entry) => entry.site === site);
      if (here.length === 0) return null;
      const elements = here.reduce((sum, { measure: measure2 }) => sum + measure2.elements, 0);
      const rms = Math.sqrt(here.reduce((sum, { measure: measure2 }) => sum + measure2.rms_error ** 2 * measure2.elements, 0) / elements);
      const relative = Math.max(...here.map(({ measure: measure2 }) => measure2.rms_oracle === 0 ? 0 : measure2.rms_error / measure2.rms_oracle));
      return { rms, relative };
    },
    result(standard) {
      const { name, op, backend } = kernel;
      const named3 = device instanceof KernelError ? null : device.device;
      const base = { kernel: name, op, backend, device: named3, sites: sites.size, probes, standard: standardOf(standard) };
      const summary = summarise(base, entries, failure, recipes, dtype, limits, conclusion ?? (entries.length === 0 ? unreached : null));
      const result = withControl(withCanaries(withProbes(summary), canaries), control);
      if (violation !== null) return { ...result, ...worstAt(violation.site), status: "fail", detail: violation.detail };
      return standard?.status === "fail" ? { ...result, status: "inconclusive", detail: unjudged(result, standard) } : result;
    }
  };
}
function withProbes(result) {
  for (const status of ["fail", "inconclusive"]) {
    const probe2 = result.probes?.find((one) => one.status === status);
    if (result.status === "fail" || probe2 === void 0) continue;
    return { ...result, status, detail: `probe ${probe2.name}: ${probe2.detail}` };
  }
  return result;
}
function withCanaries(result, canaries) {
  const missed = canaries.find(({ caught }) => !caught);
  if (missed === void 0 || result.status === "fail") return result;
  return { ...result, status: "inconclusive", detail: `canary ${missed.name} was not caught: ${missed.detail}` };
}
function withControl(result, control) {
  if (control === null || control.passed) return result;
  return { ...result, status: "inconclusive", detail: `identity control: the reference differs from itself: ${control.detail}` };
}
var NO_SITE = "no site of the chosen layers";
function standardOf(standard) {
  if (standard === void 0 || standard.sites === 0 && standard.detail === NO_SITE) return null;
  const { status, detail, accuracy_ratio, max_abs_diff, bitwise_equal } = standard;
  return { status, detail, accuracy_ratio, max_abs_diff, bitwise_equal };
}
function unjudged(fused, standard) {
  const beside = {
    fail: "the fused one leaves the reference too",
    warn: "the fused one is near the limit",
    pass: "the fused one stays within the noise of the reference",
    inconclusive: "the fused one gave no usable answer"
  };
  return `its own standard variant already leaves the reference (${standard.detail ?? "it fails"}); ${beside[fused.status]}`;
}
function place(site) {
  return site.layer === null ? site.name : `layer ${site.layer} ${site.name}`;
}
function summarise(base, entries, failure, recipes, dtype, limits, conclusion) {
  if (entries.length === 0) {
    const nothing2 = { level: "inconclusive", detail: failure ?? NO_SITE };
    const { level, detail: detail2 } = failure === null && conclusion !== null ? conclusion : nothing2;
    return { ...base, ...NOTHING_MEASURED, status: level, detail: detail2 };
  }
  const total = (value) => entries.reduce((sum, { measure: measure2 }) => sum + value(measure2), 0);
  const elements = total((m) => m.elements);
  const worst = worstOf(entries, (entry) => accuracyRatio(entry.measure));
  const scale = worstOf(entries, ({ measure: measure2 }) => standardErrors(measure2)).measure.scale;
  const nearest = nearestRecipe(recipes.map((name, i) => ({ name, equal: total((m) => m.equal_to[i]) / elements })));
  const judged2 = conclusion === null ? worstJudgement(entries, dtype, limits) : { ...conclusion, site: null };
  const [status, detail] = failure !== null && judged2.level !== "fail" ? ["inconclusive", failure] : [judged2.level, judged2.detail];
  const bins = ["0", "1", "2", "3-4", "5-8", ">8"];
  return {
    ...base,
    status,
    detail,
    max_abs_diff: Math.max(...entries.map(({ measure: measure2 }) => measure2.max_abs_diff)),
    mean_abs_diff: total((m) => m.sum_abs_diff) / elements,
    bitwise_equal: total((m) => m.bitwise_equal) / elements,
    max_ulp: Math.max(...entries.map(({ measure: measure2 }) => measure2.max_ulp)),
    ulp_histogram: Object.fromEntries(
      bins.map((bin, i) => [bin, total((m) => m.ulp_counts[i]) / elements])
    ),
    accuracy_ratio: finite2(accuracyRatio(worst.measure)),
    max_ratio: finite2(Math.max(...entries.map(({ measure: measure2 }) => maxRatio(measure2)))),
    scale_error: Number.isFinite(scale.standard_error) ? scale.mean : null,
    scale_error_standard_error: Number.isFinite(scale.standard_error) ? scale.standard_error : null,
    non_finite: total((m) => m.non_finite),
    nearest_recipe: nearest?.name ?? null,
    nearest_recipe_equal: nearest?.equal ?? null,
    ...worstAt(judged2.site ?? worst.site),
    smallest_scale_error: smallestOf(entries, dtype, limits)
  };
}
function worstAt({ layer, name }) {
  return { worst_layer: layer, worst_site: name };
}
var TIE = 1e-3;
function nearestRecipe(shares) {
  const most = Math.max(...shares.map(({ equal }) => equal));
  return shares.find(({ equal }) => equal >= most - TIE);
}
function finite2(value) {
  return Number.isFinite(value) ? value : null;
}
var NOTHING_MEASURED = {
  max_abs_diff: null,
  mean_abs_diff: null,
  bitwise_equal: null,
  max_ulp: null,
  ulp_histogram: null,
  accuracy_ratio: null,
  max_ratio: null,
  scale_error: null,
  scale_error_standard_error: null,
  non_finite: 0,
  nearest_recipe: null,
  nearest_recipe_equal: null,
  worst_layer: null,
  worst_site: null,
  smallest_scale_error: null
};
function worstOf(entries, value) {
  return entries.reduce((worst, entry) => value(entry) > value(worst) ? entry : worst);
}
function accuracyRatio({ rms_error, rms_floor }) {
  return rms_error === 0 ? 0 : rms_error / rms_floor;
}
function maxRatio({ max_error, max_floor }) {
  return max_error === 0 ? 0 : max_error / max_floor;
}
function standardErrors({ scale }) {
  return scale.mean === 0 ? 0 : Math.abs(scale.mean) / scale.standard_error;
}
var FLOAT32_ARITHMETIC = 8 * UNIT_ROUNDOFF.float32;
var SEVERITY2 = ["pass", "inconclusive", "warn", "fail"];
function worstJudgement(entries, dtype, limits) {
  const ratio = ({ measure: measure2 }) => measure2.non_finite > 0 ? Number.MAX_VALUE : Math.max(accuracyRatio(measure2), maxRatio(measure2));
  const none = { level: "pass", detail: null, site: null };
  return [...entries].sort((a, b) => ratio(b) - ratio(a)).map((entry) => ({ ...judge(entry, dtype, limits), site: entry.site })).reduce((worst, judgement) => SEVERITY2.indexOf(judgement.level) > SEVERITY2.indexOf(worst.level) ? judgement : worst, none);
}
function judge({ site, output, measure: measure2, sequence }, dtype, limits) {
  const { level, detail } = judgeMeasure(measure2, dtype, limits);
  const { elements, first_non_finite: first } = measure2;
  const at = first === null ? "" : `, the first at ${tokenName(sequence, Math.floor(first * sequence.ids.length / elements))}`;
  return { level, detail: detail === null ? null : `${place(site)}, output ${output}: ${detail}${at}` };
}
function invisibleScale({ scale_floor }, dtype) {
  return Math.max(UNIT_ROUNDOFF[dtype] / 4, FLOAT32_ARITHMETIC, 2 * scale_floor);
}
function judgeMeasure(measure2, dtype, limits) {
  if (measure2.non_finite > 0) {
    return {
      level: "fail",
      by: "non_finite",
      detail: `${measure2.non_finite} of ${measure2.elements} elements are NaN or infinite where the oracle is finite`
    };
  }
  const ratios = [
    ["accuracy_ratio", accuracyRatio(measure2)],
    ["max_ratio", maxRatio(measure2)]
  ];
  const [name, ratio] = ratios[0][1] >= ratios[1][1] ? ratios[0] : ratios[1];
  if (ratio > limits.warn_ratio) return { level: "fail", by: name, detail: `${name} ${ratio.toPrecision(3)} > ${limits.warn_ratio}` };
  const { mean, standard_error: standardError } = measure2.scale;
  const beyond = Math.abs(mean);
  if (beyond > limits.scale_standard_errors * standardError && beyond > invisibleScale(measure2, dtype)) {
    return {
      level: "fail",
      by: "scale_error",
      detail: `all values are off by a factor of ${(1 + mean).toPrecision(5)} (scale error ${mean.toExponential(1)}, ${(beyond / standardError).toFixed(0)} standard errors)`
    };
  }
  if (ratio > limits.pass_ratio) return { level: "warn", by: name, detail: `${name} ${ratio.toPrecision(3)} > ${limits.pass_ratio}` };
  return { level: "pass", by: null, detail: null };
}
function smallestScaleError(measure2, dtype, limits) {
  const { mean, standard_error: standardError } = measure2.scale;
  const byScale = Math.abs(mean) + Math.max(limits.scale_standard_errors * standardError, invisibleScale(measure2, dtype));
  const byRatio = Math.sqrt(Math.max(0, (limits.warn_ratio * measure2.rms_floor) ** 2 - measure2.rms_error ** 2)) / measure2.rms_oracle;
  return finite2(Math.min(byScale, byRatio));
}
function smallestOf(entries, dtype, limits) {
  const seen = entries.flatMap(
    ({ measure: measure2 }) => judgeMeasure(measure2, dtype, limits).level === "fail" ? [] : smallestScaleError(measure2, dtype, limits) ?? []
  );
  return seen.length === 0 ? null : Math.max(...seen);
}

// src/diff/canaries.ts
var SCALE = 1.01;
var TAIL = 16;
var LEAST_CHANGE = 0.05;
var ENOUGH_FOR_SCALE = 512;
async function plantCanaries(context, site, inputs, known) {
  const { eager: eager2 } = known;
  const canaries = [];
  for (const make of [
    () => [zeros(eager2)],
    () => staleOutput(eager2, context.sequence),
    () => [scaledOutput(eager2, context.dtype)],
    () => [droppedTail(eager2)],
    () => wrongEps(context, site, inputs),
    () => otherAttributes(context, site, inputs, "attention", "no_causal_mask", "the causal mask left out", { causal: false, window: 0 }),
    () => otherAttributes(context, site, inputs, "rope", "swapped_rope_layout", "elements paired by the other RoPE layout", SWAPPED_LAYOUT)
  ]) {
    for (const mutant of await make()) {
      const judged2 = judgeMutant(context, site, mutant, known);
      if (judged2 !== null) canaries.push(judged2);
    }
  }
  return canaries;
}
function judgeMutant({ dtype, limits }, site, mutant, known) {
  const { eager: eager2 } = known;
  const { name } = mutant;
  const where = `${place(site)}, ${mutant.words}`;
  let caught = null;
  for (const [output, array] of Object.entries(mutant.outputs)) {
    const change = relativeChange(array.data, eager2[output].data);
    if (change === 0 || change < mutant.least || array.data.length < mutant.elements) continue;
    const measured = measure(array.data, known.yardsticks[output]);
    const { level, by, detail } = judgeMeasure(measured, dtype, limits);
    if (level !== "fail") {
      const noise = measured.rms_oracle === 0 ? "" : ` while the noise floor is ${share(measured.rms_floor / measured.rms_oracle)}`;
      return { name, caught: false, by: null, detail: `${where}: changes output ${output} by ${share(change)}${noise}` };
    }
    caught ??= { name, caught: true, by, detail: `${where}: ${detail ?? ""}` };
  }
  return caught;
}
function relativeChange(data, eager2) {
  let difference2 = 0;
  let size = 0;
  for (let i = 0; i < eager2.length; i++) {
    const expected = eager2[i];
    difference2 += (data[i] - expected) ** 2;
    size += expected * expected;
  }
  const change = Math.sqrt(difference2 / size);
  return difference2 === 0 ? 0 : Number.isNaN(change) ? Infinity : change;
}
function share(value) {
  return `${Number((value * 100).toPrecision(2))} %`;
}
function mapped(tensors, change) {
  return Object.fromEntries(Object.entries(tensors).map(([name, array]) => [name, { data: change(array), shape: array.shape }]));
}
function countRows(tensors) {
  return Object.values(tensors)[0]?.shape[0] ?? 0;
}
function zeros(eager2) {
  return {
    name: "zeros",
    words: "all outputs 0",
    outputs: mapped(eager2, ({ data }) => new Float32Array(data.length)),
    least: 0,
    elements: 0
  };
}
function staleOutput(eager2, { segments }) {
  const count = countRows(eager2);
  if (count < 2) return [];
  const shift = segments.length > 1 ? segments[0]?.end ?? 0 : count >> 1;
  const moved = ({ data, shape }) => {
    const out = new Float32Array(data.length);
    const width = data.length / count;
    out.set(rows({ data, shape }, shift, count).data, 0);
    out.set(rows({ data, shape }, 0, shift).data, (count - shift) * width);
    return out;
  };
  return [{ name: "stale_output", words: "other tokens' outputs", outputs: mapped(eager2, moved), least: LEAST_CHANGE, elements: 0 }];
}
function scaledOutput(eager2, dtype) {
  const scaled2 = ({ data }) => roundToServing(
    Float32Array.from(data, (value) => value * SCALE),
    dtype
  );
  return {
    name: "scale_1_percent",
    words: `all outputs times ${SCALE}`,
    outputs: mapped(eager2, scaled2),
    least: 0,
    elements: ENOUGH_FOR_SCALE
  };
}
function droppedTail(eager2) {
  const count = countRows(eager2);
  const tail = Math.max(1, Math.floor(count / TAIL));
  const dropped = ({ data }) => Float32Array.from(data).fill(0, data.length / count * (count - tail));
  const words3 = tail === 1 ? "the last row left at 0" : `the last ${tail} rows left at 0`;
  return { name: "dropped_tail", words: words3, outputs: mapped(eager2, dropped), least: LEAST_CHANGE, elements: 0 };
}
var NORMS = /* @__PURE__ */ new Set(["rms_norm", "qk_norm"]);
async function wrongEps(context, site, inputs) {
  const { program } = context;
  const index = indexOf(context, site, (op2) => NORMS.has(op2));
  if (index === null) return [];
  const op = program.ops[index];
  const before = { ...site, end: index - 1, outputs: new Map(Object.entries(op.inputs)) };
  const given = await runSite(context, before, context.recipes[0], inputs, context.sequence);
  const eps = Math.max(...Object.values(given).map(({ data }) => meanSquare(data)));
  if (!(eps > 0) || !Number.isFinite(eps)) return [];
  const words3 = `eps ${eps.toPrecision(2)} for ${String(op.attributes["eps"])}`;
  return [
    { name: "wrong_eps", words: words3, outputs: await withAttributes(context, site, inputs, index, { eps }), least: LEAST_CHANGE, elements: 0 }
  ];
}
function meanSquare(data) {
  let sum = 0;
  for (const value of data) sum += value * value;
  return sum / Math.max(1, data.length);
}
var SWAPPED_LAYOUT = ({ layout }) => ({ layout: layout === "half" ? "interleaved" : "half" });
async function otherAttributes(context, site, inputs, kind, name, words3, change) {
  const index = indexOf(context, site, (op) => op === kind);
  if (index === null) return [];
  const changes = typeof change === "function" ? change(context.program.ops[index].attributes) : change;
  return [{ name, words: words3, outputs: await withAttributes(context, site, inputs, index, changes), least: LEAST_CHANGE, elements: 0 }];
}
function indexOf({ program }, { start, end }, wanted) {
  const found = program.ops.slice(start, end + 1).findIndex(({ op }) => wanted(op));
  return found < 0 ? null : start + found;
}
function withAttributes(context, site, inputs, index, changes) {
  const ops = context.program.ops.map((op, i) => i === index ? { ...op, attributes: { ...op.attributes, ...changes } } : op);
  const changed2 = { ...context, program: { ...context.program, ops } };
  return runSite(changed2, site, context.recipes[0], inputs, context.sequence);
}
function zeroLogits(blocks) {
  const { data, shape } = blocks[0];
  return { data: new Float32Array(data.length), shape };
}
function modelCanary(level) {
  if (level.status === "inconclusive") return { canaries: [], judged: (given) => given };
  const caught = level.status === "fail";
  const ratio = `kl_ratio ${level.kl_ratio?.toPrecision(3) ?? "not finite"}`;
  const detail = `all logits 0: ${level.detail ?? ratio}`;
  const by = caught ? (level.decisive_flips ?? 0) > 0 ? "decisive_flips" : "kl_ratio" : null;
  return {
    canaries: [{ kernel: null, name: "zeros", caught, by, detail }],
    judged(given) {
      if (caught || given.status === "fail") return given;
      return { ...given, status: "inconclusive", detail: `canary zeros was not caught: ${detail}` };
    }
  };
}

// src/diff/accumulation.ts
var MOST_STEPS = 2 ** 28;
var TILES = [1, 16, 32, 64, 128];
function accumulations(dtype) {
  if (dtype === "float32") return [];
  const round = rounder(dtype);
  const is = (code, says, change) => {
    const concerns = ({ op }) => code === "norm" ? op === "rms_norm" || op === "qk_norm" : code === "attention" ? op === "attention" : op === "linear" || op === "qkv";
    return {
      code: "accumulation_dtype",
      says,
      concerns,
      change: (op, inputs, call) => concerns(op) ? change(op, inputs, call) : call.run(op, inputs)
    };
  };
  const needs = "where float32 is needed";
  return [
    is(
      "norm",
      `sums the squares of a norm in ${dtype} ${needs}`,
      (op, inputs, call) => normed(op, inputs, call, sumOfSquares(round, round))
    ),
    is(
      "norm",
      `sums the squares of a norm in ${dtype} ${needs}`,
      (op, inputs, call) => normed(
        op,
        inputs,
        call,
        sumOfSquares(round, (x) => x)
      )
    ),
    is(
      "norm",
      `computes every step of a norm in ${dtype} ${needs}`,
      (op, inputs, call) => normed(op, inputs, call, inServingDtype(round), round)
    ),
    ...TILES.map(
      (tile) => is(
        "product",
        `accumulates matrix products in ${dtype} ${needs}${ofTile(tile)}`,
        (op, inputs, call) => products(op, inputs, call, round, tile)
      )
    ),
    ...[1, 16, 32, 64].flatMap(
      (tile) => [true, false].map(
        (normalised) => is(
          "attention",
          `accumulates attention's sums over keys in ${dtype} ${needs}${ofTile(tile)}`,
          (op, inputs, call) => perSegment(call.sequence, inputs, (part) => Promise.resolve(attention(op, part, call.recipe, round, tile, normalised)))
        )
      )
    )
  ];
}
function ofTile(tile) {
  return tile === 1 ? "" : `, tile by tile of ${tile}`;
}
function rounder(dtype) {
  if (dtype === "none" || dtype === "float32") return (x) => x;
  if (dtype === "bfloat16") {
    const value = new Float32Array(1);
    const bits = new Uint32Array(value.buffer);
    return (x) => {
      value[0] = x;
      const b = bits[0];
      bits[0] = b + 32767 + (b >>> 16 & 1);
      bits[0] &= 4294901760;
      return value[0];
    };
  }
  return (x) => {
    const exponent = Math.max(-14, Math.floor(Math.log2(Math.abs(x) || 1)));
    const shift = 1.5 * 2 ** (52 + exponent - 10);
    const rounded = x + shift - shift;
    return Math.abs(rounded) > 65504 ? Math.sign(x) * Infinity : rounded;
  };
}
function inRecipe(values, shape, recipe) {
  if (recipe.round === "none") return { data: values, shape };
  const data = Float32Array.from(values);
  return { data: roundsOutputs(recipe) ? roundToServing(data, recipe.round) : data, shape };
}
function sumOfSquares(round, roundSquare) {
  return (row, eps) => {
    let sum = 0;
    for (const x of row) sum = round(sum + roundSquare(x * x));
    return 1 / Math.sqrt(sum / row.length + eps);
  };
}
function inServingDtype(round) {
  return (row, eps) => {
    let sum = 0;
    for (const x of row) sum += round(x * x);
    return round(1 / Math.sqrt(round(round(sum / row.length) + eps)));
  };
}
function normed(op, inputs, { recipe }, scaleOf, always) {
  const byRecipe = roundsBeforeWeight(op, recipe) ? rounder(recipe.round) : (value) => value;
  const roundNormed = always ?? byRecipe;
  const offset = Number(op.attributes["weight_offset"] ?? 0);
  const eps = Number(op.attributes["eps"]);
  const names = Object.keys(op.weights).map((weight) => [weight, weight === "weight" ? "x" : weight.slice(0, 1)]);
  const outputs = names.map(([weightName, name]) => {
    const { data, shape } = inputs[name];
    const weight = inputs[weightName]?.data;
    const out = new Float64Array(data.length);
    for (let start = 0; start < data.length; start += weight.length) {
      const row = data.subarray(start, start + weight.length);
      const scale = scaleOf(row, eps);
      for (let i = 0; i < row.length; i++) {
        const value = row[i] * scale;
        out[start + i] = roundNormed(value) * (weight[i] + offset);
      }
    }
    return [name === "x" ? "y" : name, inRecipe(out, shape, recipe)];
  });
  return Promise.resolve(Object.fromEntries(outputs));
}
async function products(op, inputs, call, round, tile) {
  const x = inputs["x"];
  const tokens = x.shape[0] ?? 0;
  const parts = matrices(op);
  if (parts.reduce((sum, { ref }) => sum + x.data.length * (ref.shape[0] ?? 1), 0) > MOST_STEPS) return call.run(op, inputs);
  const outputs = {};
  for (const { tensor, ref, bias, shape } of parts) {
    const weight = (await call.weight(ref)).data;
    const added = bias === void 0 ? null : (await call.weight(bias)).data;
    const y = product(x.data, weight, tokens, round, tile);
    if (added !== null) for (let i = 0; i < y.length; i++) y[i] = y[i] + added[i % added.length];
    outputs[tensor] = inRecipe(y, shape(tokens), call.recipe);
  }
  return outputs;
}
function product(x, weight, tokens, round, tile) {
  const A = x.length / tokens;
  const B = weight.length / A;
  const y = new Float64Array(tokens * B);
  for (let t = 0; t < tokens; t++) {
    for (let b = 0; b < B; b++) {
      let sum = 0;
      for (let start = 0; start < A; start += tile) {
        const end = Math.min(A, start + tile);
        let part = 0;
        for (let a = start; a < end; a++) part += x[t * A + a] * weight[b * A + a];
        sum = round(sum + part);
      }
      y[t * B + b] = sum;
    }
  }
  return y;
}
function attention(op, inputs, recipe, round, tile, normalised) {
  const q = inputs["q"];
  const [k, v] = ["k", "v"].map((name) => cached(inputs[name], recipe));
  const [T = 0, Nq = 1, D = 1] = q.shape;
  const [S = 0, Nkv = 1] = k.shape;
  const mask = new Float64Array(T * S);
  attentionMask(mask, T, S, op.attributes["causal"] === true, Number(op.attributes["window"] ?? 0));
  const out = new Float64Array(q.data.length);
  const weights = new Float64Array(S);
  for (let t = 0; t < T; t++) {
    for (let h = 0; h < Nq; h++) {
      const kv = Math.floor(h / (Nq / Nkv));
      scoresOf(op, q, k, (t * Nq + h) * D, (s) => (s * Nkv + kv) * D, mask.subarray(t * S, (t + 1) * S), weights);
      const total = exponentials(weights, normalised ? (x) => x : round, normalised ? S : tile);
      for (let d = 0; d < D; d++) {
        let sum = 0;
        for (let start = 0; start < S; start += tile) {
          let part = 0;
          for (let s = start; s < Math.min(S, start + tile); s++) {
            part += weights[s] / (normalised ? total : 1) * v.data[(s * Nkv + kv) * D + d];
          }
          sum = round(sum + part);
        }
        out[(t * Nq + h) * D + d] = normalised ? sum : sum / total;
      }
    }
  }
  return { o: inRecipe(out, q.shape, recipe) };
}
function cached({ data, shape }, { round }) {
  return { data: round === "none" ? data : roundToServing(Float32Array.from(data), round), shape };
}
function scoresOf(op, q, k, query, keyAt, mask, scores) {
  const D = q.shape[2] ?? 1;
  const scale = Number(op.attributes["scale"]);
  const softcap = Number(op.attributes["softcap"] ?? 0);
  for (let s = 0; s < scores.length; s++) {
    let score = 0;
    for (let d = 0; d < D; d++) score += q.data[query + d] * k.data[keyAt(s) + d];
    score *= scale;
    if (softcap > 0) score = softcap * Math.tanh(score / softcap);
    scores[s] = score + mask[s];
  }
}
function exponentials(scores, round, tile) {
  let top = -Infinity;
  for (const score of scores) if (score > top) top = score;
  let total = 0;
  for (let start = 0; start < scores.length; start += tile) {
    let part = 0;
    for (let s = start; s < Math.min(scores.length, start + tile); s++) {
      scores[s] = Math.exp(scores[s] - top);
      part += scores[s];
    }
    total = round(total + part);
  }
  return total;
}

// src/diff/activations.ts
var ACTIVATIONS = {
  /** PyTorch's GELU with `approximate='none'`. */
  gelu: (x) => 0.5 * x * (1 + erf(x * Math.SQRT1_2)),
  /** As CLIP has it. */
  quick_gelu: (x) => x / (1 + Math.exp(-1.702 * x)),
  relu: (x) => Math.max(0, x),
  sigmoid: (x) => 1 / (1 + Math.exp(-x))
};
function gated(name, inputs, recipe) {
  const gate = inputs["gate"];
  const up = inputs["up"];
  const activation = ACTIVATIONS[name];
  if (recipe.round === "none") {
    return { y: { data: Float64Array.from(gate.data, (x, i) => activation(x) * up.data[i]), shape: gate.shape } };
  }
  const activated = Float32Array.from(gate.data, activation);
  const left = recipe.inside === "float32" ? activated : roundToServing(activated, recipe.round);
  const data = left.map((x, i) => x * up.data[i]);
  return { y: { data: roundsOutputs(recipe) ? roundToServing(data, recipe.round) : data, shape: gate.shape } };
}
function erf(x) {
  const z = Math.abs(x);
  if (z > 6) return Math.sign(x);
  if (z < 2.5) {
    let term = x;
    let sum = x;
    for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
      term *= 2 * x * x / (2 * n + 1);
      sum += term;
    }
    return 2 / Math.sqrt(Math.PI) * Math.exp(-x * x) * sum;
  }
  let fraction = z;
  for (let n = 60; n >= 1; n--) fraction = z + n / 2 / fraction;
  return Math.sign(x) * (1 - Math.exp(-z * z) / Math.sqrt(Math.PI) / fraction);
}

// src/diff/hypothesis.ts
function hypothesis(code, says, concerns, change) {
  return { code, says, concerns, change: (op, inputs, call) => concerns(op) ? change(op, inputs, call) : call.run(op, inputs) };
}
function withAttributes2(op, attributes2) {
  return { ...op, attributes: { ...op.attributes, ...attributes2 } };
}
function attributes(code, says, concerns, changed2) {
  return hypothesis(code, says, concerns, (op, inputs, { run }) => run(withAttributes2(op, changed2(op)), inputs));
}
var isRope = ({ op }) => op === "rope";
var isAttention = ({ op }) => op === "attention";
var isNorm = ({ op }) => op === "rms_norm" || op === "qk_norm";
function headDim(program) {
  const op = program.ops.find(({ attributes: { head_dim } }) => head_dim !== void 0);
  return Number(op?.attributes["head_dim"] ?? 0);
}
function assumedHeadDim(program, config) {
  const count = Number(config["num_attention_heads"]);
  const assumed = program.hidden_size / count;
  return Number.isInteger(assumed) && assumed !== headDim(program) ? assumed : null;
}

// src/diff/attention-hypotheses.ts
function scales({ program, config }, ops) {
  const D = headDim(program);
  const assumed = assumedHeadDim(program, config);
  const own = new Set(ops.filter(isAttention).map(({ attributes: { scale } }) => Number(scale)));
  return [...own].flatMap((right) => {
    const needs = `this model needs ${short(right)}`;
    const candidates = [
      [1, "scale", `does not scale the attention scores where ${needs}`],
      [right * right, "scale", `scales the attention scores twice, by ${short(right * right)}, where ${needs}`],
      [1 / D, "scale", `scales the attention scores by 1/head_dim (${short(1 / D)}) where ${needs}`],
      [D ** -0.5, "scale", `scales the attention scores by 1/sqrt(head_dim) (${short(D ** -0.5)}) where ${needs}`],
      ...assumed === null ? [] : [
        [assumed ** -0.5, "head_dim", `takes head_dim for ${assumed} in the attention scale where this model has ${D}`]
      ],
      [right ** 0.5, "scale", `scales the attention scores by ${short(right ** 0.5)} where ${needs}`],
      [
        program.hidden_size ** -0.5,
        "scale",
        `scales the attention scores by 1/sqrt(hidden_size) (${short(program.hidden_size ** -0.5)}) where ${needs}`
      ],
      ...[64, 128, 256].map((dim) => [
        dim ** -0.5,
        "head_dim",
        `takes head_dim for ${dim} in the attention scale where this model has ${D}`
      ])
    ];
    const seen = /* @__PURE__ */ new Set([right]);
    return candidates.flatMap(([scale, code, says]) => {
      if (seen.has(scale)) return [];
      seen.add(scale);
      return [
        attributes(
          code,
          says,
          (op) => isAttention(op) && Number(op.attributes["scale"]) === right,
          () => ({ scale })
        )
      ];
    });
  });
}
function short(value) {
  return `${Number(value.toPrecision(4))}`;
}
function masks({ config }, ops) {
  const windows = new Set(ops.filter(isAttention).map(({ attributes: { window: window2 } }) => Number(window2 ?? 0)));
  const configured = config["sliding_window"];
  const window = (right, wrong, says) => attributes(
    "window",
    says,
    (op) => isAttention(op) && Number(op.attributes["window"] ?? 0) === right,
    () => ({ window: wrong })
  );
  return [
    attributes(
      "mask",
      "lets tokens see those after them: the causal mask is missing",
      (op) => isAttention(op) && op.attributes["causal"] === true,
      () => ({ causal: false })
    ),
    ...[...windows].flatMap((right) => {
      if (right > 0) {
        return [
          window(right, 0, `lets tokens see all tokens before them where this layer has a window of ${right}`),
          window(right, right + 1, `uses a window of ${right + 1} tokens where this layer needs ${right} (the token itself counts)`),
          ...right > 1 ? [window(right, right - 1, `uses a window of ${right - 1} tokens where this layer needs ${right} (the token itself counts)`)] : []
        ];
      }
      if (typeof configured !== "number" || configured < 1) return [];
      return [window(0, configured, `uses a window of ${configured} tokens where this layer has none`)];
    }),
    attributes(
      "softcap",
      "leaves out the softcap of the attention scores",
      (op) => isAttention(op) && Number(op.attributes["softcap"] ?? 0) > 0,
      () => ({ softcap: 0 })
    )
  ];
}

// src/diff/rotary-hypotheses.ts
var BASES = [1e4, 1e5, 15e4, 25e4, 5e5, 1e6, 5e6, 1e7];
function rotary(subject, ops) {
  const { program } = subject;
  const wrong = (layout, says) => attributes(
    "rope_layout",
    says,
    (op) => isRope(op) && op.attributes["layout"] !== layout,
    () => ({ layout })
  );
  const offset = (by, only) => {
    const what = only === void 0 ? "counts positions" : `counts the positions of ${only === "q" ? "queries" : "keys"}`;
    return hypothesis("position_offset", `${what} from ${by} where the first token has position 0`, isRope, async (op, inputs, call) => {
      const moved = await call.run(op, { ...inputs, ...tables(program, op, call, null, by) });
      if (only === void 0) return moved;
      return { ...await call.run(op, inputs), [only]: moved[only] };
    });
  };
  return [
    wrong("half", "rotates half-split pairs (element i with i + rotary_dim/2) where this model needs interleaved ones (2i with 2i + 1)"),
    wrong(
      "interleaved",
      "rotates interleaved pairs (element 2i with 2i + 1) where this model needs half-split ones (i with i + rotary_dim/2)"
    ),
    ...[1, -1].flatMap((by) => [offset(by), offset(by, "q"), offset(by, "k")]),
    ...bases(subject, ops),
    ...rotaryDims(subject, ops)
  ];
}
function tables(program, op, { sequence }, table, offset = 0) {
  const positions = sequence.segments.flatMap(({ start, end }) => Array.from({ length: end - start }, (_, i) => i + offset));
  const name = tableName(op);
  const changed2 = table === null ? program : { ...program, rope_tables: { ...program.rope_tables, [name]: table } };
  return { cos: rotaryAt(changed2, `cos:${name}`, positions), sin: rotaryAt(changed2, `sin:${name}`, positions) };
}
function tableName(op) {
  return op.inputs["cos"].slice("cos:".length);
}
function frequencies(base, dim) {
  const inv_freq = Array.from({ length: dim / 2 }, (_, i) => Math.fround(1 / Math.fround(base ** Math.fround(2 * i / dim))));
  return { inv_freq, attention_factor: 1 };
}
function sameTable(a, b) {
  const same = (x, y) => Math.abs(x - y) <= 1e-6 * Math.abs(y);
  if (a.inv_freq.length !== b.inv_freq.length || !same(a.attention_factor, b.attention_factor)) return false;
  return a.inv_freq.every((value, i) => same(value, b.inv_freq[i]));
}
function configuredBase(config) {
  const nested = config["rope_parameters"];
  const block = typeof nested === "object" && nested !== null ? nested : {};
  const value = config["rope_theta"] ?? block["rope_theta"];
  return typeof value === "number" && value > 1 ? value : null;
}
function bases({ program, config }, ops) {
  const names = new Set(ops.filter(isRope).map(tableName));
  const own = configuredBase(config);
  const needed = own === null ? "what config.json says" : `${own}`;
  const plain = [.../* @__PURE__ */ new Set([...own === null ? [] : [own], ...BASES])];
  const hypothesesOf = [...names].flatMap((name) => {
    const right = program.rope_tables[name];
    const using = (says, table) => sameTable(table, right) || table.inv_freq.length !== right.inv_freq.length ? [] : [
      hypothesis(
        "rope_base",
        says,
        (op) => isRope(op) && tableName(op) === name,
        (op, inputs, call) => call.run(op, { ...inputs, ...tables(program, op, call, table) })
      )
    ];
    const others = Object.entries(program.rope_tables).filter(([other]) => other !== name);
    return [
      ...others.flatMap(
        ([other, table]) => using(`uses the RoPE frequencies of ${other} layers where this layer needs those of ${name}`, table)
      ),
      ...plain.flatMap(
        (base) => using(
          base === own ? `computes RoPE with base ${base} alone where config.json scales it` : `computes RoPE with base ${base} where this model needs ${needed}`,
          frequencies(base, right.inv_freq.length * 2)
        )
      )
    ];
  });
  return hypothesesOf;
}
function rotaryDims({ program, config }, ops) {
  const base = configuredBase(config) ?? 1e4;
  const dims = new Set(ops.filter(isRope).map(({ attributes: { rotary_dim } }) => Number(rotary_dim)));
  const D = headDim(program);
  return [...dims].flatMap((right) => {
    const wrong = right < D ? D : right / 2;
    if (wrong % 2 !== 0 || wrong === right) return [];
    const concerns = (op) => isRope(op) && Number(op.attributes["rotary_dim"]) === right;
    return [
      hypothesis(
        "rotary_dim",
        `rotates ${wrong} dimensions of a head where this model needs ${right}`,
        concerns,
        (op, inputs, call) => call.run(withAttributes2(op, { rotary_dim: wrong }), { ...inputs, ...tables(program, op, call, frequencies(base, wrong)) })
      )
    ];
  });
}

// src/diff/head-hypotheses.ts
function heads({ program, config }) {
  const grouped = (op) => isAttention(op) && isGrouped(program);
  const all = [
    hypothesis(
      "head_mapping",
      "lets query head h read KV head h modulo num_kv_heads where it is h divided by the group size",
      grouped,
      modulo
    ),
    hypothesis(
      "head_mapping",
      "lets all query heads read KV head 0",
      grouped,
      (op, inputs, { run }) => run(op, { ...inputs, k: toHeads(inputs["k"], () => 0), v: toHeads(inputs["v"], () => 0) })
    )
  ];
  const assumed = assumedHeadDim(program, config);
  const D = headDim(program);
  const splits = assumed !== null && assumed % 2 === 0 && D % assumed === 0 && !program.ops.some(({ op }) => op === "qk_norm");
  if (!splits) return all;
  const says = `splits Q, K and V into heads of ${assumed} where this model has head_dim ${D}`;
  const concerns = (op) => isRope(op) || isAttention(op);
  return [...all, hypothesis("head_dim", says, concerns, (op, inputs, call) => otherHeads(program, config, assumed, op, inputs, call))];
}
function isGrouped(program) {
  const { num_heads, num_kv_heads } = program.ops.find(({ attributes: { num_heads: num_heads2 } }) => num_heads2 !== void 0)?.attributes ?? {};
  return Number(num_kv_heads) > 1 && Number(num_heads) > Number(num_kv_heads);
}
var modulo = async (op, inputs, { run }) => {
  const q = inputs["q"];
  const queries = q.shape[1];
  const kv = inputs["k"]?.shape[1];
  const group = queries / kv;
  const from = (n) => Math.floor(n / group) + n % group * kv;
  const place3 = (h) => h % kv * group + Math.floor(h / kv);
  const { o } = await run(op, { ...inputs, q: toHeads(q, from) });
  return { o: toHeads(o, place3) };
};
function toHeads({ data, shape }, from) {
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
async function otherHeads(program, config, size, op, inputs, call) {
  const names = ["q", "k", "v", "o"];
  const split2 = (array) => ({
    data: array.data,
    shape: [array.shape[0], -1, size].map((n) => n < 0 ? array.data.length / array.shape[0] / size : n)
  });
  const given = Object.fromEntries(Object.entries(inputs).map(([name, array]) => [name, names.includes(name) ? split2(array) : array]));
  const outputs = isRope(op) ? await call.run(withAttributes2(op, { rotary_dim: size }), {
    ...given,
    ...tables(program, op, call, frequencies(configuredBase(config) ?? 1e4, size))
  }) : await call.run(withAttributes2(op, { scale: size ** -0.5 }), given);
  const shapes = inputs;
  return Object.fromEntries(
    Object.entries(outputs).map(([name, { data }]) => [name, { data, shape: (name === "o" ? shapes["q"] : shapes[name])?.shape ?? [] }])
  );
}

// src/diff/norm-hypotheses.ts
var EPS = [0, 1e-12, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 0.01];
function norms(ops) {
  const own = new Set(ops.filter(isNorm).map(({ attributes: { eps } }) => Number(eps)));
  const offset = (wrong, says) => attributes(
    "norm_weight_offset",
    says,
    (op) => isNorm(op) && Number(op.attributes["weight_offset"] ?? 0) !== wrong,
    () => ({ weight_offset: wrong })
  );
  const missing2 = (names, says) => hypothesis(
    "missing_qk_norm",
    says,
    ({ op }) => op === "qk_norm",
    async (op, inputs, { run }) => ({
      ...await run(op, inputs),
      ...Object.fromEntries(names.map((name) => [name, inputs[name]]))
    })
  );
  return [
    ...EPS.map(
      (eps) => attributes(
        "eps",
        `adds eps ${power(eps)} to the mean square where this model needs ${[...own].map(power).join(" and ")}`,
        (op) => isNorm(op) && Number(op.attributes["eps"]) !== eps,
        () => ({ eps })
      )
    ),
    offset(0, "multiplies by the norm weight where this model needs 1 + weight"),
    offset(1, "multiplies by 1 + the norm weight where this model needs the weight alone"),
    missing2(["q", "k"], "leaves out the norms of Q and K"),
    missing2(["q"], "leaves out the norm of Q"),
    missing2(["k"], "leaves out the norm of K"),
    normWeight("leaves out the norm weight", () => 1),
    normWeight("multiplies by the norm weight twice", (weight) => weight * weight)
  ];
}
function power(value) {
  return value === 0 ? "0" : value.toExponential();
}
function normWeight(says, factor) {
  return hypothesis("norm_weight", says, isNorm, (op, inputs, { run }) => {
    const offset = Number(op.attributes["weight_offset"] ?? 0);
    const changed2 = Object.keys(op.weights).map((name) => {
      const weight = inputs[name];
      return [name, { data: weight.data.map((w) => factor(w + offset) - offset), shape: weight.shape }];
    });
    return run(op, { ...inputs, ...Object.fromEntries(changed2) });
  });
}

// src/diff/hypotheses.ts
function hypotheses(subject, ops) {
  const all = [
    ...rotary(subject, ops),
    ...norms(ops),
    ...scales(subject, ops),
    ...masks(subject, ops),
    ...heads(subject),
    ...gates(ops),
    ...accumulations(subject.dtype),
    hypothesis("missing_bias", "leaves out the bias", hasBias, (op, inputs, { run }) => run(withoutBias(op), inputs))
  ];
  return all.filter(({ concerns }) => ops.some(concerns));
}
var BIASES = ["bias", "q_bias", "k_bias", "v_bias"];
function hasBias({ op, weights }) {
  return (op === "linear" || op === "qkv") && BIASES.some((name) => name in weights);
}
function withoutBias(op) {
  return { ...op, weights: Object.fromEntries(Object.entries(op.weights).filter(([name]) => !BIASES.includes(name))) };
}
var isGate = ({ op }) => op === "silu_mul" || op === "gelu_tanh_mul";
var GATES = { silu_mul: "SiLU", gelu_tanh_mul: "GELU (tanh)" };
function gates(ops) {
  const own = [...new Set(ops.filter(isGate).map(({ op }) => GATES[op]))].join(" and ");
  const activates = (words3) => `activates the gate with ${words3} where this model needs ${own}`;
  const swapped = (name) => hypothesis(
    "activation",
    activates(GATES[name]),
    (op) => isGate(op) && op.op !== name,
    (op, inputs, { run }) => run({ ...op, op: name }, inputs)
  );
  const computed = (name, words3) => hypothesis("activation", activates(words3), isGate, (_op, inputs, { recipe }) => Promise.resolve(gated(name, inputs, recipe)));
  return [
    swapped("silu_mul"),
    swapped("gelu_tanh_mul"),
    computed("gelu", "GELU (erf)"),
    computed("quick_gelu", "x · sigmoid(1.702 x)"),
    computed("relu", "ReLU"),
    computed("sigmoid", "sigmoid"),
    hypothesis(
      "gate_up_order",
      "activates the up projection and not the gate",
      isGate,
      (op, inputs, { run }) => run(op, { gate: inputs["up"], up: inputs["gate"] })
    )
  ];
}

// src/diff/causes.ts
function suspectList() {
  const found = /* @__PURE__ */ new Map();
  return {
    note(kernel, variant, suspect) {
      const key = `${variant} ${kernel.name}`;
      const entry = found.get(key) ?? { kernel, variant, sites: [] };
      found.set(key, entry);
      const known = entry.sites.find(({ site }) => site === suspect.site);
      const worse = known !== void 0 && known.ratio > suspect.ratio ? known : suspect;
      entry.sites = [...entry.sites.filter((each) => each !== known), worse].sort((a, b) => b.ratio - a.ratio).slice(0, 2);
    },
    all: () => [...found.values()]
  };
}
var TOKENS = { products: 64, others: 256 };
var CLOSEST = 6;
var SAME_BITS = 0.9;
async function findCauses(context, suspects) {
  const causes = [];
  for (const { kernel, variant, sites } of suspects.all()) {
    try {
      const cause = await causeAt({ ...context, weights: /* @__PURE__ */ new Map() }, kernel, variant, sites);
      if (cause !== null) causes.push(cause);
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
    }
  }
  return causes;
}
async function causeAt(context, kernel, variant, sites) {
  const observed = [];
  for (const suspect of sites) {
    const seen = await observe(context, kernel, variant, suspect);
    if (seen !== null) observed.push(seen);
  }
  const [first] = observed;
  if (first === void 0) return null;
  const ops = context.program.ops.slice(first.site.start, first.site.end + 1);
  const fits = [];
  for (const hypothesis2 of await closest(context, first, hypotheses(context, ops))) {
    const ratios = await explains(context, hypothesis2, observed);
    if (ratios !== null) fits.push({ hypothesis: hypothesis2, ratios });
  }
  const found = single(fits.map(({ hypothesis: hypothesis2, ratios }) => ({ hypothesis: hypothesis2, ratios, worst: Math.max(...ratios) })));
  if (found === null) return null;
  const { best, says } = found;
  const evidence = observed.map(({ site, ratio }, i) => ({ place: place(site), ratio: best.ratios[i], instead: ratio }));
  return { kernel: kernel.name, variant, code: best.hypothesis.code, message: `${says}: ${proof("accuracy_ratio", evidence)}` };
}
var AS_GOOD = 1.1;
function single(fits) {
  const [first] = fits;
  if (first === void 0 || fits.some(({ hypothesis: hypothesis2 }) => hypothesis2.code !== first.hypothesis.code)) return null;
  const best = fits.reduce((least, fit) => fit.worst < least.worst ? fit : least);
  const alike = fits.filter(({ worst }) => worst <= best.worst * AS_GOOD).map(({ hypothesis: hypothesis2 }) => hypothesis2.says);
  const others = [...new Set(alike)].filter((says) => says !== best.hypothesis.says);
  return { best, says: [best.hypothesis.says, ...others].join(", or ") };
}
function proof(name, evidence) {
  const each = evidence.map(({ place: where, ratio, instead }) => {
    const numbers = `${ratio.toPrecision(2)} instead of ${Number.isFinite(instead) ? Number(instead.toPrecision(3)) : "NaN"}`;
    return where === null ? numbers : `${numbers} at ${where}`;
  });
  return `with that one change the reference gives its output (${name} ${each.join(", ")})`;
}
async function observe(context, kernel, variant, { site, inputs }) {
  const { sequence, tokens } = somePrompts(context, site, inputs);
  const given = { ...tokens, ...await siteWeights(context, site) };
  const { outputs } = await callKernel(context, kernel, site, given, sequence, variant);
  const seen = { site, inputs: tokens, sequence, outputs, ratio: NaN };
  const { level, ratio } = await judged(context, void 0, seen);
  return level === "pass" ? null : { ...seen, ratio };
}
function somePrompts({ program, sequence }, site, inputs) {
  const products2 = program.ops.slice(site.start, site.end + 1).some(({ op }) => op === "linear" || op === "qkv");
  const segments = longestPrompts(sequence, products2 ? TOKENS.products : TOKENS.others);
  const tokens = Object.entries(inputs).map(([name, array]) => [
    name,
    joinRows(segments.map(({ start, end }) => rows(array, start, end)))
  ]);
  return { sequence: joined(sequence, segments), tokens: Object.fromEntries(tokens) };
}
function longestPrompts({ segments }, tokens) {
  const byLength = [...segments].sort((a, b) => b.end - b.start - (a.end - a.start));
  let left = tokens;
  const chosen = byLength.filter(({ start, end }, i) => {
    const fits = i === 0 || end - start <= left;
    if (fits) left -= end - start;
    return fits;
  });
  return segments.filter((segment) => chosen.includes(segment));
}
function joined({ ids }, segments) {
  let at = 0;
  return {
    ids: segments.flatMap(({ start, end }) => ids.slice(start, end)),
    segments: segments.map(({ start, end }) => ({ start: at, end: at += end - start }))
  };
}
async function closest(context, observed, all) {
  const { site, inputs, sequence, outputs } = observed;
  const by = (change) => runSite(changed(context, change), site, eager(context.dtype), inputs, sequence);
  const unchanged = await by();
  const from = (reference) => Math.max(...Object.keys(unchanged).map((name) => distance2(outputs[name], reference[name], unchanged[name])));
  const limit = from(unchanged);
  const near = [];
  for (const hypothesis2 of all) {
    const far = from(await by(hypothesis2.change));
    if (far < limit || !Number.isFinite(limit)) near.push({ hypothesis: hypothesis2, far });
  }
  return near.filter(({ far }) => Number.isFinite(far)).sort((a, b) => a.far - b.far).slice(0, CLOSEST).map(({ hypothesis: hypothesis2 }) => hypothesis2);
}
function changed(context, change) {
  return change === void 0 ? context : { ...context, change };
}
function distance2(a, b, unchanged) {
  let difference2 = 0;
  let size = 0;
  for (let i = 0; i < (unchanged?.data.length ?? 0); i++) {
    difference2 += (a?.data[i] - b?.data[i]) ** 2;
    size += unchanged?.data[i] ** 2;
  }
  return Number.isNaN(difference2) ? Infinity : Math.sqrt(difference2 / (size === 0 ? 1 : size));
}
async function explains(context, { code, change }, observed) {
  const ratios = [];
  for (const seen of observed) {
    const { level, ratio, equal } = await judged(context, change, seen);
    if (level !== "pass" || code === "accumulation_dtype" && equal < SAME_BITS) return null;
    ratios.push(ratio);
  }
  return ratios;
}
async function judged(context, change, { site, inputs, sequence, outputs }) {
  const { program, dtype, limits } = context;
  const ops = program.ops.slice(site.start, site.end + 1).map(({ op }) => op);
  const by = changed(context, change);
  const oracle = await runSite(by, site, ORACLE, inputs, sequence);
  const recipes = [];
  for (const recipe of distinctRecipes(validRecipes(dtype), ops)) recipes.push(await runSite(by, site, recipe, inputs, sequence));
  const measures2 = Object.entries(outputs).map(
    ([name, output]) => measure(output.data, yardstickOf(name, oracle, recipes, dtype))
  );
  const total = (value) => measures2.reduce((sum, each) => sum + value(each), 0);
  return {
    level: measures2.every((each) => judgeMeasure(each, dtype, limits).level === "pass") ? "pass" : "off",
    ratio: Math.max(...measures2.map((each) => each.non_finite > 0 ? NaN : accuracyRatio(each))),
    equal: Math.max(...recipes.map((_, i) => total(({ equal_to }) => equal_to[i]))) / total(({ elements }) => elements)
  };
}

// src/diff/control.ts
async function identityControl(context, site, inputs, known) {
  const { dtype, limits, recipes, sequence } = context;
  const again = await runSite(context, site, recipes[0], inputs, sequence);
  let [elements, equal, difference2, ratio] = [0, 0, 0, 0];
  let wrong = null;
  for (const [name, { data }] of Object.entries(again)) {
    const measured = measure(data, known.yardsticks[name]);
    elements += measured.elements;
    equal += measured.bitwise_equal;
    difference2 = Math.max(difference2, measured.max_abs_diff);
    ratio = Math.max(ratio, accuracyRatio(measured));
    const { level, detail } = judgeMeasure(measured, dtype, limits);
    if (level !== "pass") wrong ??= `output ${name}: ${detail ?? level}`;
  }
  if (equal < elements) wrong ??= `${elements - equal} of ${elements} elements differ, by up to ${difference2.toPrecision(2)}`;
  const figures = { max_abs_diff: difference2, bitwise_equal: equal / elements };
  const passes = `all ${elements} elements the same, accuracy_ratio ${ratio.toFixed(2)}`;
  return { level: site.op, passed: wrong === null, ...figures, detail: `${place(site)}: ${wrong ?? passes}` };
}
function modelControl(logits, names, context) {
  const { sequence, limits } = context;
  if (logits.non_finite.slice(0, names.length + 1).some((count) => count > 0)) return null;
  const floor = Math.max(...names.map((_, i) => logits.kl[i]), LEAST_KL);
  const judged2 = names.map((name, i) => {
    const ratio = logits.kl[i] / floor;
    return { name, ratio, ...judgeLogits(logits, sequence, names.length, i, ratio, limits) };
  });
  const wrong = judged2.find(({ status }) => status !== "pass");
  const [eager2] = judged2;
  const detail = wrong === void 0 ? `${names.length} recipes pass; eager has kl_ratio ${eager2?.ratio.toFixed(2) ?? ""}` : `recipe ${wrong.name}: ${wrong.detail ?? `kl_ratio ${wrong.ratio.toPrecision(3)}`}`;
  return { level: "model", passed: wrong === void 0, max_abs_diff: null, bitwise_equal: null, detail };
}
function controlled(level, control) {
  if (control === null || control.passed) return level;
  return { ...level, status: "inconclusive", detail: `identity control: a correct implementation would not pass: ${control.detail}` };
}

// src/diff/generator.ts
import { resolve } from "node:path";

// src/kernels/sites.ts
function besideProgram(op) {
  const none = /* @__PURE__ */ new Map();
  return { op, start: 0, end: 0, layer: null, name: "model", inputs: none, weights: none, outputs: none, attributes: {} };
}
function findSites(program, op, config = {}) {
  const contract = CONTRACTS.get(op);
  if (contract === void 0) throw new Error(`no contract ${op}`);
  if (contract.stands_for === "model") return [];
  if (contract.stands_for === "layer") return layerSites(program, op, scalars(config));
  const consumers = countConsumers(program);
  const sites = [];
  for (let start = 0; start + contract.steps.length <= program.ops.length; start++) {
    const site = matchAt(program, op, contract, start, consumers);
    if (site !== null) sites.push(site);
  }
  return sites;
}
var MAX_WORD = 256;
function scalars(config) {
  const isScalar = (entry) => {
    const [, value] = entry;
    return typeof value === "boolean" || typeof value === "number" || typeof value === "string" && value.length <= MAX_WORD;
  };
  return Object.fromEntries(Object.entries(config).filter(isScalar));
}
function layerSites(program, op, settings) {
  return program.layer_outputs.map((output, layer) => {
    const start = program.ops.findIndex((each) => each.layer === layer);
    const ops = program.ops.filter((each) => each.layer === layer);
    const made = new Set(ops.flatMap(({ outputs }) => Object.values(outputs)));
    const inputs = /* @__PURE__ */ new Map();
    const weights = /* @__PURE__ */ new Map();
    const attributes2 = { ...settings };
    for (const each of ops) {
      for (const value of Object.values(each.inputs)) {
        if (!made.has(value)) inputs.set(value.startsWith("cos:") ? "cos" : value.startsWith("sin:") ? "sin" : "x", value);
      }
      for (const ref of Object.values(each.weights)) weights.set(ref.tensor, [wholeTensor(ref)]);
      Object.assign(attributes2, attributesOf(each));
    }
    attributes2["layer_idx"] = layer;
    return { op, start, end: start + ops.length - 1, layer, name: "layer", inputs, weights, outputs: /* @__PURE__ */ new Map([["y", output]]), attributes: attributes2 };
  });
}
function attributesOf(op) {
  return op.op.endsWith("_mul") ? { activation: op.op.slice(0, -"_mul".length) } : op.attributes;
}
function countConsumers(program) {
  const consumers = /* @__PURE__ */ new Map();
  for (const op of program.ops) for (const value of Object.values(op.inputs)) consumers.set(value, (consumers.get(value) ?? 0) + 1);
  return consumers;
}
function matchAt(program, name, contract, start, consumers) {
  const bound = /* @__PURE__ */ new Map();
  const inputs = /* @__PURE__ */ new Map();
  const outputs = /* @__PURE__ */ new Map();
  const weights = /* @__PURE__ */ new Map();
  const attributes2 = {};
  const inside = /* @__PURE__ */ new Map();
  for (const [k, step] of contract.steps.entries()) {
    const op = program.ops[start + k];
    if (!(typeof step.op === "string" ? [step.op] : step.op).includes(op.op)) return null;
    for (const [tensor, contractTensor] of Object.entries(step.inputs)) {
      const value = op.inputs[tensor];
      const known = bound.get(contractTensor);
      if (known === void 0) {
        if (contractTensor.startsWith("#")) return null;
        bound.set(contractTensor, value);
        inputs.set(contractTensor, value);
      } else if (known !== value) return null;
      inside.set(value, (inside.get(value) ?? 0) + 1);
    }
    if (!bindWeights(step, op, weights)) return null;
    for (const [tensor, contractTensor] of Object.entries(step.outputs)) {
      const value = op.outputs[tensor];
      bound.set(contractTensor, value);
      if (!contractTensor.startsWith("#")) outputs.set(contractTensor, value);
    }
    for (const { name: attribute } of contract.attributes) {
      const value = attributesOf(op)[attribute];
      if (value !== void 0) attributes2[attribute] = value;
    }
  }
  const escapes = [...bound].some(([tensor, value]) => tensor.startsWith("#") && inside.get(value) !== consumers.get(value));
  if (escapes || [...outputs.values()].includes(program.logits)) return null;
  const end = start + contract.steps.length - 1;
  const last = program.ops[end];
  return { op: name, start, end, layer: last.layer, name: last.site, inputs, weights, outputs, attributes: attributes2 };
}
function bindWeights(step, op, weights) {
  const used = /* @__PURE__ */ new Set();
  const bind = (tensor, names) => {
    weights.set(
      tensor,
      names.map((name) => op.weights[name])
    );
    for (const name of names) used.add(name);
  };
  for (const [tensor, names] of Object.entries(step.weights ?? {})) bind(tensor, names);
  for (const [tensor, names] of Object.entries(step.optional ?? {})) if (names.every((name) => name in op.weights)) bind(tensor, names);
  return Object.keys(op.weights).every((name) => used.has(name));
}
function assemble(kernels, sitesOf) {
  const byName = [...kernels].filter((kernel) => sitesOf(kernel).length > 0).sort((a, b) => a.name < b.name ? -1 : 1);
  if (byName.length === 0) return [];
  const models = [place2(byName, sitesOf, null)];
  for (const kernel of byName) {
    if (!models.some((model) => model.some((placement) => placement.kernel === kernel))) models.push(place2(byName, sitesOf, kernel));
  }
  return models;
}
function place2(kernels, sitesOf, preferred) {
  const candidates = kernels.flatMap((kernel) => sitesOf(kernel).map((site) => ({ kernel, site })));
  const rank = ({ kernel }) => kernel === preferred ? 0 : 1;
  const length = ({ site }) => site.end - site.start;
  candidates.sort((a, b) => rank(a) - rank(b) || length(b) - length(a));
  const taken = /* @__PURE__ */ new Set();
  const placed2 = [];
  for (const candidate of candidates) {
    const { start, end } = candidate.site;
    const indices = Array.from({ length: end - start + 1 }, (_, i) => start + i);
    if (indices.some((index) => taken.has(index))) continue;
    for (const index of indices) taken.add(index);
    placed2.push(candidate);
  }
  return placed2.sort((a, b) => a.site.start - b.site.start);
}

// src/diff/generator.ts
function isGenerator({ op }) {
  return op === "generate";
}
var SITE = besideProgram("generate");
async function judgeGenerator(options, kernel, record) {
  const prompts = options.prompts.filter((prompt) => roomAfter(options.program, prompt) > 0).slice(0, PROMPTS);
  const calls = prompts.map((prompt) => callOf(options, prompt));
  const [first = callOf(options, options.prompts[0] ?? [])] = calls;
  const outcome = (level, texts) => {
    if (texts !== null) record.conclude({ level: level.status, detail: level.status === "pass" ? null : level.detail }, SITE);
    return { kernel, level, call: first, texts };
  };
  try {
    if (prompts.length === 0) throw new KernelError("every prompt fills all positions of the model; give shorter prompts");
    const texts = [];
    for (const [i, { site, inputs }] of calls.entries()) {
      const answer = await kernel.run({ inputs, attributes: site.attributes, dtype: options.dtype, variant: "fused", repeat: 1 });
      record.violate(SITE, answer.violations);
      const output = Array.from(answer.outputs["output_ids"]?.data ?? []);
      texts.push(checkText(output, `prompt ${i + 1}`, options.program, Number(site.attributes["max_new_tokens"])));
    }
    return outcome(await judgeTexts(options, prompts, texts), texts);
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    record.fail(SITE, error.message);
    return outcome({ ...levelOf(options, []), status: "inconclusive", detail: `${kernel.name}: ${error.message}` }, null);
  }
}
function callOf({ model, program }, prompt) {
  const attributes2 = { model_path: resolve(model), max_new_tokens: Math.min(MAX_NEW_TOKENS, roomAfter(program, prompt)) };
  return { site: { ...SITE, attributes: attributes2 }, inputs: { input_ids: { data: Int32Array.from(prompt), shape: [prompt.length] } } };
}
function checkText(ids, prompt, { vocab_size }, most) {
  if (ids.length === 0) throw new KernelError(`${prompt}: output_ids is empty; it holds the new tokens, one at least`);
  if (ids.length > most) {
    throw new KernelError(`${prompt}: output_ids has ${ids.length} tokens, more than max_new_tokens ${most}; it holds the new tokens only`);
  }
  const wrong = ids.find((id) => !Number.isInteger(id) || id < 0 || id >= vocab_size);
  if (wrong !== void 0) throw new KernelError(`${prompt}: output_ids holds ${wrong}; ids go from 0 to ${vocab_size - 1}`);
  return [...ids];
}
async function judgeTexts(options, prompts, texts) {
  const { config, program, recipes, limits } = options;
  const ends = endTokens(config);
  const [end = null] = ends;
  const told = texts.map((ids) => {
    const at = ids.findIndex((id) => ends.has(id));
    return at < 0 ? ids : ids.slice(0, at + 1);
  });
  const read = await readTexts(
    options,
    told.map((ids, i) => ({ prompt: prompts[i], ids })),
    recipes,
    end
  );
  const tokens = told.flatMap((ids, prompt) => {
    const views = read[prompt];
    const written = ids.map((id, position) => ({ prompt, position, id, view: views[position] }));
    const early = ids.length < Math.min(MAX_NEW_TOKENS, roomAfter(program, prompts[prompt]));
    if (!early || ends.has(ids.at(-1))) return written;
    if (end === null) throw new KernelError(unexplainedEnd(prompt, ids.length));
    return [...written, { prompt, position: ids.length, id: null, view: views[ids.length] }];
  });
  const level = levelOf(options, tokens);
  if (tokens.some(({ view }) => Number.isNaN(view.nll)))
    return { ...level, status: "inconclusive", detail: "logits of the oracle are NaN or infinite" };
  if (!tokens.every(({ view }) => Number.isFinite(view.noise)))
    return {
      ...level,
      status: "inconclusive",
      detail: "a valid recipe overflows the serving dtype, so it is not known what a near tie is"
    };
  const wrong = tokens.filter((token) => isDecisive(token, limits));
  const [first] = wrong;
  if (first === void 0) return { ...level, status: "pass", detail: null };
  return { ...level, status: "fail", detail: wordsOf(first, wrong.length, limits) };
}
function unexplainedEnd(prompt, tokens) {
  return `prompt ${prompt + 1}: it ends after ${tokens} tokens, and config.json names no eos_token_id to end with`;
}
function isDecisive({ view }, { decisive_margin }) {
  return view.below_best > decisive_margin * view.noise;
}
function wordsOf({ prompt, position, id, view }, count, { decisive_margin }) {
  const wrote = id === null ? "the text ends" : `it wrote ${id}`;
  const others = count === 1 ? "" : `; ${count} tokens are decisively others than the oracle's`;
  return `prompt ${prompt + 1}, new token ${position + 1}: ${wrote} where the oracle's choice is ${view.best}, by a margin of ${view.below_best.toPrecision(3)}, over ${decisive_margin} times the logit noise ${view.noise.toPrecision(2)}${others}`;
}
function levelOf({ recipes, limits }, tokens) {
  const nll = tokens.reduce((sum, { view }) => sum + view.nll, 0) / tokens.length;
  const perplexity = Math.exp(nll);
  const first = tokens.filter(({ view }) => view.below_best === 0).length;
  return {
    status: "inconclusive",
    detail: null,
    kl_fused: null,
    kl_floor: null,
    kl_ratio: null,
    kl_recipes: Object.fromEntries(recipes.map(({ name }) => [name, null])),
    top1_agreement: tokens.length === 0 ? null : first / tokens.length,
    decisive_flips: tokens.length === 0 ? null : tokens.filter((token) => isDecisive(token, limits)).length,
    positions: tokens.length,
    perplexity: { oracle: Number.isFinite(perplexity) ? perplexity : null, eager: null, fused: null },
    amplification: null,
    amplification_curve: [],
    sensitivity: null,
    first_layer_above_floor: null,
    responsible: null,
    layers: []
  };
}

// src/diff/model-causes.ts
var TOKENS2 = 64;
var CLOSEST2 = 4;
var CLEARLY = 3;
var LEAST_KL2 = 1e-14;
var CLOSER = 2;
async function findModelCause(context, { kernel, call }) {
  const segments = longestPrompts(context.sequence, TOKENS2);
  const sequence = joined(context.sequence, segments);
  const logits = await logitsOf(context, kernel, call.site.attributes, sequence);
  if (logits === null) return null;
  const candidates = await closest2(context, logits);
  if (candidates.length === 0) return null;
  const instead = await klRatio(context, { hypothesis: { code: "eps", says: "" }, program: context.program }, logits);
  const fits = [];
  for (const candidate of candidates) {
    const ratio = await klRatio(context, candidate, logits);
    if (ratio <= Math.min(context.limits.pass_ratio, instead / CLEARLY)) fits.push({ ...candidate, worst: ratio });
  }
  const found = single(fits);
  if (found === null) return null;
  const { best, says } = found;
  const evidence = [{ place: null, ratio: best.worst, instead }];
  return { kernel: kernel.name, variant: "fused", code: best.hypothesis.code, message: `${says}: ${proof("kl_ratio", evidence)}` };
}
async function logitsOf({ program, dtype }, kernel, attributes2, sequence) {
  const data = new Float32Array(sequence.ids.length * program.vocab_size);
  try {
    for (const { start, end } of sequence.segments) {
      const inputs = { input_ids: { data: Int32Array.from(sequence.ids.slice(start, end)), shape: [end - start] } };
      const { outputs } = await kernel.run({ inputs, attributes: attributes2, dtype, variant: "fused", repeat: 1 });
      data.set(outputs["logits"]?.data ?? [], start * program.vocab_size);
    }
  } catch (error) {
    if (error instanceof KernelError) return null;
    throw error;
  }
  return data.every(Number.isFinite) ? { sequence, data } : null;
}
function otherHead({ program, checkpoint }) {
  const at = program.ops.findIndex(({ site }) => site === "lm_head");
  const head2 = program.ops[at];
  const embedding = program.ops.find(({ op }) => op === "embed")?.weights["weight"];
  const own = head2?.weights["weight"];
  if (head2 === void 0 || own === void 0 || embedding === void 0) return [];
  const tied = own.tensor === embedding.tensor;
  const other = tied ? { ...own, tensor: "lm_head.weight" } : { ...own, tensor: embedding.tensor };
  const info = checkpoint.tensors.get(other.tensor);
  if (info === void 0 || info.shape.join() !== own.shape.join()) return [];
  const ops = program.ops.with(at, { ...head2, weights: { ...head2.weights, weight: other } });
  const says = tied ? "uses lm_head.weight as its head where this model ties the head to the embeddings" : "ties its head to the embeddings where this model has a head of its own";
  return [{ hypothesis: { code: "tied_head", says }, program: { ...program, ops } }];
}
async function closest2(context, logits) {
  const { program, dtype } = context;
  const tried = hypotheses(context, program.ops.slice(0, -1)).filter(({ code }) => code !== "accumulation_dtype");
  const all = tried.map((hypothesis2) => ({ hypothesis: hypothesis2, program }));
  const recipe = eager(dtype);
  const lanes = [pureLane(recipe), ...all.map((candidate) => changedLane(context, candidate, recipe, logits.sequence))];
  const [limit = 0, ...far] = await distances(context, program, logits, lanes);
  for (const candidate of otherHead(context)) {
    all.push(candidate);
    far.push(...await distances(context, candidate.program, logits, [pureLane(recipe)]));
  }
  return all.map((candidate, i) => ({ candidate, distance: far[i] })).filter(({ distance: distance3 }) => distance3 < limit / CLOSER).sort((a, b) => a.distance - b.distance).slice(0, CLOSEST2).map(({ candidate }) => candidate);
}
async function distances(context, program, logits, lanes) {
  const sums = lanes.map(() => 0);
  await walkLanes(context, program, logits, lanes, (blocks, kernel) => {
    for (const [i, { data }] of blocks.entries()) {
      let sum = 0;
      for (let j = 0; j < data.length; j++) sum += (data[j] - kernel.data[j]) ** 2;
      sums[i] = sums[i] + sum;
    }
  });
  return sums;
}
async function klRatio(context, candidate, logits) {
  const recipes = validRecipes(context.dtype);
  const lanes = [ORACLE, ...recipes].map((recipe) => changedLane(context, candidate, recipe, logits.sequence));
  const meter = logitsMeter(lanes.length + 1, new Int32Array(logits.sequence.ids.length).fill(-1));
  await walkLanes(context, candidate.program, logits, lanes, (blocks, kernel, start) => meter.add(start, [...blocks, kernel]));
  const { kl } = meter.summarise([], context.limits.decisive_margin);
  return kl[recipes.length] / Math.max(...kl.slice(0, recipes.length), LEAST_KL2);
}
function pureLane(recipe) {
  return { recipe, values: /* @__PURE__ */ new Map(), standIns: /* @__PURE__ */ new Map() };
}
function changedLane(context, { hypothesis: hypothesis2, program }, recipe, sequence) {
  const standIns = /* @__PURE__ */ new Map();
  const { change, concerns } = hypothesis2;
  if (change === void 0) return pureLane(recipe);
  const changed2 = { ...context, change };
  const standIn = (op, end) => ({
    end,
    async run(lane) {
      const given = Object.entries(op.inputs).map(([name, value]) => [name, lane.values.get(value)]);
      const outputs = await runStep(changed2, op, recipe, Object.fromEntries(given), sequence);
      for (const [name, value] of Object.entries(op.outputs)) lane.values.set(value, outputs[name]);
    }
  });
  for (const [index, op] of program.ops.slice(0, -1).entries()) if (concerns?.(op) === true) standIns.set(index, standIn(op, index));
  return { recipe, values: /* @__PURE__ */ new Map(), standIns };
}
async function walkLanes({ checkpoint, dtype, runner: runner2 }, program, { sequence, data }, lanes, compare) {
  await walk({
    program,
    checkpoint,
    dtype,
    sequence,
    lanes,
    runner: runner2,
    keep: /* @__PURE__ */ new Map(),
    scanAll: false,
    afterOp: () => Promise.resolve(),
    logits(start, blocks) {
      const [tokens = 0, width = 0] = blocks[0]?.shape ?? [];
      const own = new Float32Array(tokens * width);
      for (let t = 0; t < tokens; t++) {
        const row = t * program.vocab_size + start;
        own.set(data.subarray(row, row + width), t * width);
      }
      compare(blocks, { data: own, shape: [tokens, width] }, start);
    }
  });
}

// src/diff/whole-model.ts
import { resolve as resolve2 } from "node:path";
function isWholeModel({ op }) {
  return op === LOGITS.op;
}
var LOGITS = besideProgram("model");
function wholeModel(kernel, record, options) {
  const { program, dtype, sequence } = options;
  const attributes2 = { model_path: resolve2(options.model), vocab_size: program.vocab_size };
  const inputsOf = ({ start, end }) => ({
    input_ids: { data: Int32Array.from(sequence.ids.slice(start, end)), shape: [end - start] }
  });
  const longest = sequence.segments.reduce((most, segment) => segment.end - segment.start > most.end - most.start ? segment : most);
  let logits = [];
  let failure = null;
  return {
    kernel,
    call: { site: { ...LOGITS, attributes: attributes2 }, inputs: inputsOf(longest) },
    get failure() {
      return failure;
    },
    async run() {
      try {
        for (const segment of sequence.segments) {
          const answer = await kernel.run({ inputs: inputsOf(segment), attributes: attributes2, dtype, variant: "fused", repeat: 1 });
          record.violate(LOGITS, answer.violations);
          logits.push(answer.outputs["logits"]?.data);
        }
      } catch (error) {
        if (!(error instanceof KernelError)) throw error;
        logits = [];
        failure = `${kernel.name}: ${error.message}`;
        record.fail(LOGITS, error.message);
      }
    },
    block(start, [oracle, ...recipes]) {
      const eager2 = recipes[0];
      if (failure !== null) return eager2;
      const [tokens = 0, width = 0] = eager2.shape;
      const data = new Float32Array(tokens * width);
      for (const [i, segment] of sequence.segments.entries()) {
        const own = logits[i];
        for (let t = segment.start; t < segment.end; t++) {
          const row = (t - segment.start) * program.vocab_size;
          data.set(own.subarray(row + start, row + start + width), t * width);
        }
      }
      const others = recipes.map((recipe) => recipe.data);
      record.add(LOGITS, "logits", measure(data, yardstick(oracle?.data, others, dtype)), sequence);
      return { data, shape: [tokens, width] };
    }
  };
}
async function logitsOf2({ kernel, call }, ids, dtype) {
  const inputs = { input_ids: { data: Int32Array.from(ids), shape: [ids.length] } };
  const answer = await kernel.run({ inputs, attributes: call.site.attributes, dtype, variant: "fused", repeat: 1 });
  return answer.outputs["logits"];
}

// src/diff/conclusion.ts
async function conclude(diff2, through) {
  const { recipes, records, assemblies, models, started, limits } = diff2;
  const { logits, targets } = through;
  const names = recipes.map(({ name }) => name);
  const noiseLanes = recipes.map((_, i) => i);
  const summary = logits.summarise(noiseLanes, limits.decisive_margin);
  const control = modelControl(summary, names, diff2);
  const overflow = diff2.overflow.found;
  const levelOf2 = modelLevels({
    ...diff2,
    ...through,
    recipes: names,
    logits: summary,
    assemblies: [
      ...assemblies.map(({ placements: placements2, failures }) => ({ placements: placements2, failure: failures[0] ?? overflow })),
      ...models.map(({ failure }) => ({ placements: [], failure: failure ?? overflow })),
      { placements: [], failure: null }
    ],
    injected: (placement) => records.get(placement.kernel)?.injected(placement.site) ?? null
  });
  const watched = modelCanary(levelOf2.pop());
  for (const [i, { kernel }] of models.entries()) {
    records.get(kernel)?.conclude(modelJudgement(levelOf2[assemblies.length + i], limits));
  }
  const generators = [];
  for (const kernel of started.filter(isGenerator))
    generators.push(await judgeGenerator(diff2, kernel, records.get(kernel)));
  levelOf2.push(...generators.map(({ level }) => level));
  const noises = logits.perPosition(noiseLanes).map((position) => position.noise);
  const rest = {
    causes: await causesOf(diff2, levelOf2.slice(assemblies.length)),
    timed: timedCalls(diff2, through, generators),
    noise: [...noises].sort((a, b) => a - b)[noises.length >> 1]
  };
  const worst = worstLevel(levelOf2);
  if (worst === null) return { ...rest, model: null, canaries: [], controls: [], writes: null };
  const placements = assemblies[levelOf2.indexOf(worst)]?.placements;
  const explained = placements === void 0 ? worst : await withResponsible(diff2, worst, placements, targets, noises);
  return {
    ...rest,
    model: controlled(watched.judged(explained), control),
    canaries: watched.canaries,
    controls: control === null ? [] : [control],
    writes: writers(diff2, generators)[levelOf2.indexOf(worst)] ?? null
  };
}
function timedCalls({ timed, models, records, devices }, { inputs }, generators) {
  const placed2 = timed.map(({ kernel, site }) => ({ kernel, site, inputs: inputs.get(site) }));
  const whole = [...models, ...generators].map(({ kernel, call }) => ({ kernel, ...call }));
  return [...placed2, ...whole].flatMap(({ kernel, site, inputs: given }) => {
    const device = devices.get(kernel);
    const ran = device !== void 0 && !(device instanceof KernelError) && !records.get(kernel).failed;
    return ran && given !== void 0 ? [{ kernel, device, site, inputs: given }] : [];
  });
}
function writers({ assemblies, models, dtype }, generators) {
  return [
    ...assemblies.map(({ placements, failures }) => failures.length === 0 ? { kind: "sites", placements } : null),
    ...models.map(
      (each) => each.failure === null ? { kind: "model", logits: (ids) => logitsOf2(each, ids, dtype) } : null
    ),
    ...generators.map(({ texts }) => texts === null ? null : { kind: "texts", texts })
  ];
}
async function causesOf(diff2, levels) {
  const causes = await findCauses(diff2, diff2.suspects);
  for (const [i, model] of diff2.models.entries()) {
    const cause = levels[i]?.status === "fail" || levels[i]?.status === "warn" ? await findModelCause(diff2, model) : null;
    if (cause !== null) causes.push(cause);
  }
  return causes;
}
async function withResponsible(diff2, level, placements, targets, noise) {
  if (level.status !== "fail" && level.status !== "warn") return level;
  const responsible = await findResponsible({
    placements,
    full: { reproduces: true, kl_ratio: level.kl_ratio },
    fails: ({ kernel, site }) => diff2.records.get(kernel).fails(site),
    trial: walkTrial({ ...diff2, level, targets, noise })
  });
  return { ...level, responsible };
}

// src/diff/compare-sites.ts
async function compareSites(diff2, placements) {
  const references = /* @__PURE__ */ new Map();
  const context = { ...diff2, weights: /* @__PURE__ */ new Map() };
  for (const { kernel, site } of placements) {
    const record = diff2.records.get(kernel);
    const inputs = laneInputs(site, diff2.eagerLane);
    const given = { ...inputs, ...await siteWeights(context, site) };
    const reference = references.get(site.op) ?? await siteReference(context, site, inputs);
    references.set(site.op, reference);
    const called = await answerOf(diff2, kernel, site, given, "fused", record);
    if (called === null) continue;
    const standard = diff2.standards.get(kernel);
    const own = standard === void 0 || standard.failed ? null : await answerOf(diff2, kernel, site, given, "standard", standard);
    if (diff2.canariesAt.get(site.op) === site.start) {
      record.watched(await reference.canaries());
      const control = diff2.controls.get(site.op) ?? await identityControl(context, site, inputs, await reference.known());
      diff2.controls.set(site.op, control);
      record.controlled(control);
    }
    const compare = async (variant, to, answered) => {
      to.violate(site, answered.violations);
      for (const [name, measured] of Object.entries(await measures(context, reference, { kernel, variant }, answered.outputs))) {
        to.add(site, name, measured, diff2.sequence);
        if (judgeMeasure(measured, diff2.dtype, diff2.limits).level !== "pass")
          diff2.suspects.note(kernel, variant, { site, inputs, ratio: accuracyRatio(measured) });
      }
    };
    await compare("fused", record, called);
    if (standard !== void 0 && own !== null) await compare("standard", standard, own);
  }
}
async function siteReference(diff2, site, inputs) {
  const { dtype, recipes, limits, program, sequence, keeper } = diff2;
  const ops = program.ops.slice(site.start, site.end + 1);
  const depends = { dtype, recipes, ops, ...namesOf(site), prompts: sequence.segments };
  const name = keeper === null || keeper === void 0 ? "" : digest({ what: "site", depends, tensors: inputs });
  const key = { what: "site", depends: { name }, tensors: {} };
  const eager2 = laneOutputs(site, diff2.eagerLane);
  let known;
  const once2 = () => known ??= knownOutputs(diff2, site, inputs, eager2, key);
  if (await keeper?.has(key) !== true) once2().catch(() => void 0);
  let canaries;
  const planted = async () => {
    const made = async () => ({ tensors: {}, note: await plantCanaries(diff2, site, inputs, await once2()) });
    const { note } = await remembered(
      keeper,
      () => ({ what: "canaries", depends: { name, limits, place: place(site) }, tensors: {} }),
      made
    );
    return note;
  };
  return { name, known: once2, canaries: () => canaries ??= planted() };
}
async function knownOutputs(diff2, site, inputs, eager2, key) {
  const { dtype, recipes, program, sequence } = diff2;
  const kinds = program.ops.slice(site.start, site.end + 1).map(({ op }) => op);
  const outputs = [...site.outputs.keys()];
  const { tensors } = await remembered(
    diff2.keeper,
    () => key,
    async () => {
      const run = (recipe) => runSite(diff2, site, recipe, inputs, sequence);
      const [, ...others] = distinctRecipes(recipes, kinds);
      const [oracle, ...made] = await Promise.all([ORACLE, ...others].map(run));
      const entries = outputs.flatMap((name) => {
        const all = [eager2, ...made].map((values) => values[name]?.data);
        const floors = Float64Array.from(floorsOf(oracle[name]?.data, all, dtype));
        return [
          [`oracle ${name}`, oracle[name]],
          [`floors ${name}`, { data: floors, shape: [floors.length] }],
          ...others.map((recipe, i) => [`${recipe.name} ${name}`, made[i]?.[name]])
        ];
      });
      return { tensors: Object.fromEntries(entries), note: null };
    }
  );
  const yardsticks = outputs.map((name) => {
    const all = recipes.map(
      (recipe) => (tensors[`${sameRecipe(recipes, recipe, kinds).name} ${name}`] ?? eager2[name])?.data
    );
    return [name, yardstick(tensors[`oracle ${name}`]?.data, all, dtype, [...tensors[`floors ${name}`]?.data ?? []])];
  });
  return { eager: eager2, yardsticks: Object.fromEntries(yardsticks) };
}
async function measures({ keeper }, { name: site, known }, by, outputs) {
  const key = () => ({
    what: "measures",
    depends: { site, kernel: by.kernel.name, variant: by.variant },
    tensors: outputs,
    last: true
  });
  const { note } = await remembered(keeper, key, async () => {
    const { yardsticks } = await known();
    const entries = Object.entries(outputs).map(([name, { data }]) => [
      name,
      measure(data, yardsticks[name])
    ]);
    return { tensors: {}, note: Object.fromEntries(entries) };
  });
  return note;
}
async function answerOf(diff2, kernel, site, inputs, variant, record) {
  try {
    return await callKernel(diff2, kernel, site, inputs, diff2.sequence, variant);
  } catch (error) {
    if (!(error instanceof KernelError)) throw error;
    record.fail(site, error.message);
    return null;
  }
}

// src/diff/go-through.ts
async function goThrough(diff2) {
  const { program, sequence, sitesAt, records, timed, recipes, models } = diff2;
  const layers = layerMeter(program, diff2.lanes);
  const beside = layerMeter(program, [diff2.lanes[0], ...diff2.perturbed === null ? [] : [diff2.perturbed.lane]]);
  const targets = nextTokens(sequence);
  const logits = logitsMeter(diff2.lanes.length + models.length + 1, targets);
  const looksBack = [...[...sitesAt.values()].flat(), ...timed, ...placed(diff2)].map(({ site }) => site);
  const inputs = /* @__PURE__ */ new Map();
  const lanes = [...diff2.lanes, ...diff2.perturbed === null ? [] : [diff2.perturbed.lane]];
  let comparing = Promise.resolve();
  await walk({
    ...diff2,
    lanes,
    scanAll: true,
    keep: lookedAt(looksBack),
    beforeStandIns: () => comparing,
    // Whole models are compared with the logits themselves.
    ...models.length === 0 ? { sums: sumsOf(diff2, logits) } : {},
    async afterOp(index, op) {
      diff2.overflow.afterOp(op);
      const here = diff2.overflow.found === null ? sitesAt.get(index) : void 0;
      if (here !== void 0) {
        await comparing;
        const sound = here.filter(({ kernel }) => !records.get(kernel).failed);
        comparing = compareSites({ ...diff2, eagerLane: { ...diff2.eagerLane, values: new Map(diff2.eagerLane.values) } }, sound);
        comparing.catch(() => void 0);
      }
      for (const { site } of timed) if (site.end === index) inputs.set(site, laneInputs(site, diff2.eagerLane));
      if (diff2.perturbed?.site.end === index) await comparing.then(() => diff2.perturbed?.perturb(injectedAt(diff2, diff2.perturbed.site)));
      for (const meter of [layers, beside]) meter.afterOp(op);
      if (index === program.ops.length - 2) for (const model of models) await model.run();
      if (op.layer !== null && program.ops[index + 1]?.layer !== op.layer) diff2.onLayer?.(op.layer);
    },
    logits(start, blocks) {
      const compared = blocks.slice(0, 1 + recipes.length);
      logits.add(start, [...blocks, ...models.map((model) => model.block(start, compared)), zeroLogits(blocks)]);
    }
  }).finally(() => comparing);
  return { layers, logits, targets, inputs, sensitivity: diff2.perturbed?.sensitivity(beside.final[0]) ?? null };
}
function placed({ assemblies }) {
  return assemblies.flatMap(({ placements }) => placements);
}
function sumsOf({ lanes, recipes }, logits) {
  const canary = lanes.length;
  const pure = [...recipes.map((_, i) => i + 1), canary, 0];
  const which = (lane) => lane === null ? pure : [lanes.indexOf(lane)];
  return {
    state: (lane) => logits.state(which(lane)),
    restore(lane, state, whole) {
      logits.restore(lane === null && !whole ? pure.slice(0, -1) : which(lane), state);
    }
  };
}
function injectedAt({ assemblies, records }, site) {
  const kernel = placed({ assemblies }).find((placement) => placement.site === site)?.kernel;
  return kernel === void 0 ? 0 : records.get(kernel)?.injected(site)?.rms ?? 0;
}
function nextTokens({ ids, segments }) {
  const targets = new Int32Array(ids.length).fill(-1);
  for (const { start, end } of segments) for (let t = start; t + 1 < end; t++) targets[t] = ids[t + 1];
  return targets;
}

// src/diff/line-up.ts
init_errors();

// src/diff/overflow.ts
function overflowWatch(dtype, sequence, oracle, eager2) {
  let found = null;
  return {
    afterOp(op) {
      if (found !== null) return;
      for (const value of Object.values(op.outputs)) {
        const data = eager2.values.get(value)?.data;
        const at = data === void 0 ? -1 : firstNonFinite(data);
        if (data === void 0 || at < 0) continue;
        const where = `${op.layer === null ? "" : `layer ${op.layer} `}${op.site} (${op.op})`;
        const token = tokenName(sequence, Math.floor(at * sequence.ids.length / data.length));
        found = `${where}, ${token}: ${words(dtype, oracle.values.get(value)?.data ?? [])}`;
        return;
      }
    },
    get found() {
      return found;
    }
  };
}
function words(dtype, oracle) {
  if (firstNonFinite(oracle) >= 0)
    return "NaN or infinite in float64 already, so the model itself diverges there; check config.json and the weights";
  let largest2 = 0;
  for (let i = 0; i < oracle.length; i++) largest2 = Math.max(largest2, Math.abs(oracle[i]));
  const what = largest2 > LARGEST_FINITE[dtype] ? `values of up to ${Number(largest2.toPrecision(3))} overflow ${dtype}` : `something inside the op overflows ${dtype} (its results are ${Number(largest2.toPrecision(3))} at most)`;
  return `${what}, whose largest finite value is ${limitOf(dtype)}, in PyTorch eager too; serve the model ${elsewhere(dtype)}`;
}

// src/diff/performance.ts
var REPEATS = 20;
var BUDGET_MS = 1e3;
function timedSite(program, sites) {
  const middle = program.num_hidden_layers >> 1;
  return sites.find(({ layer }) => layer === middle) ?? sites[0];
}
async function measurePerformance(context, timed) {
  const kernels = [];
  let rate = null;
  for (const each of timed) {
    const { time, made } = await timeOne(context, each);
    kernels.push(time);
    if ("input_ids" in each.inputs) rate ??= tokensPerSecond(time, made);
  }
  return { kernels, tokens_per_second: rate };
}
function tokensPerSecond({ fused_us, standard_us }, tokens) {
  const rate = (us) => us === null || us === 0 ? null : tokens / (us / 1e6);
  return { fused: rate(fused_us), standard: rate(standard_us) };
}
async function timeOne(context, { kernel, device, site, inputs: all }) {
  const { inputs, tokens } = longestPrompt(site, all, context.sequence);
  const kept = {
    ...context,
    weights: /* @__PURE__ */ new Map(),
    sequence: { ids: context.sequence.ids, segments: [{ start: 0, end: tokens }] }
  };
  const base = { kernel: kernel.name, site: site.name, layer: site.layer, tokens };
  const nothing2 = { fused_us: null, standard_us: null, speedup: null, timer: null, standard: null };
  let fused;
  let call;
  try {
    call = {
      inputs: { ...inputs, ...await siteWeights(kept, site) },
      attributes: site.attributes,
      dtype: context.dtype,
      variant: "fused"
    };
    fused = await timeKernel(kernel, call);
  } catch (error) {
    return { time: { ...base, ...nothing2, note: `the timed call failed: ${words2(error)}` }, made: tokens };
  }
  const made = kernel.op === "generate" ? fused.outputs["output_ids"]?.data.length ?? 0 : tokens;
  const { us, timer } = fused;
  const measured = { ...base, ...nothing2, fused_us: us, timer };
  const transport = timer === "wall" && kernel.backend !== "onnxruntime" ? "the clock holds the way of the tensors to the kernel and back too" : null;
  try {
    const standard = device.variants.includes("standard") ? { kind: "own", ...await timeKernel(kernel, { ...call, variant: "standard" }) } : { kind: "unfused chain", ...await timeChain(kept, kernel, device, site, inputs) };
    if (standard.timer !== timer) {
      const note = `fused was timed by the ${timer} clock and standard by the ${standard.timer} clock, which do not compare`;
      return { time: { ...measured, standard: standard.kind, note }, made };
    }
    const speedup = us > 0 ? standard.us / us : null;
    return { time: { ...measured, standard_us: standard.us, speedup, standard: standard.kind, note: transport }, made };
  } catch (error) {
    const note = error instanceof NoChain ? error.message : `the standard could not be timed: ${words2(error)}`;
    return { time: { ...measured, note: transport === null ? note : `${note}; ${transport}` }, made };
  }
}
var NoChain = class extends Error {
};
function words2(error) {
  return error instanceof Error ? error.message : String(error);
}
function longestPrompt(site, all, { segments, ids }) {
  const given = all["input_ids"];
  if (given !== void 0) return { inputs: all, tokens: given.data.length };
  if (!seesOtherTokens(site)) return { inputs: all, tokens: ids.length };
  const { start, end } = segments.reduce(
    (longest, segment) => segment.end - segment.start > longest.end - longest.start ? segment : longest
  );
  return {
    inputs: Object.fromEntries(Object.entries(all).map(([name, array]) => [name, rows(array, start, end)])),
    tokens: end - start
  };
}
async function timeKernel(kernel, call) {
  const from = performance.now();
  const first = await kernel.run({ ...call, repeat: 1 });
  const once2 = performance.now() - from;
  const repeat = repeats(once2);
  const { outputs, time_us } = repeat === 1 ? first : await kernel.run({ ...call, repeat });
  if (time_us !== null) return { us: time_us, timer: kernel.backend === "onnxruntime" ? "wall" : "device", outputs };
  return { us: await median(repeat, once2, () => kernel.run({ ...call, repeat: 1 })), timer: "wall", outputs };
}
function repeats(onceMs) {
  return Math.min(REPEATS, Math.max(1, Math.floor(BUDGET_MS / onceMs)));
}
async function median(repeat, onceMs, run) {
  const times = repeat === 1 ? [onceMs] : [];
  for (let i = 0; repeat > 1 && i < repeat; i++) {
    const from = performance.now();
    await run();
    times.push(performance.now() - from);
  }
  times.sort((a, b) => a - b);
  return times[times.length >> 1] * 1e3;
}
function timeChain(context, kernel, device, site, given) {
  if ("input_ids" in given)
    return Promise.reject(new NoChain("a whole model is compared with its own standard variant only, and it offers none"));
  const inputs = given;
  if (kernel.backend === "cuda") return timeCudaChain(context, kernel, site, inputs);
  if (kernel.backend === "onnxruntime" && !device.gpu) return timeReference(context, site, inputs);
  const why = kernel.backend === "command" ? "a command that offers no standard variant is compared with nothing: its device is not known" : `there are no unfused ops of ours for ONNX Runtime on ${device.device}`;
  return Promise.reject(new NoChain(why));
}
async function timeReference(context, site, inputs) {
  const run = () => runSite(context, site, eager("float32"), inputs, context.sequence);
  await run();
  const from = performance.now();
  await run();
  const once2 = performance.now() - from;
  return { us: await median(repeats(once2), once2, run), timer: "wall" };
}
async function timeCudaChain(context, kernel, site, inputs) {
  const steps = chainOf(context.program, site, context.unfused, kernel);
  const values = new Map([...site.inputs].map(([name, value]) => [value, inputs[name]]));
  let us = 0;
  for (const { kernel: unfused, site: step, shape } of steps) {
    await unfused.start();
    const given = Object.fromEntries([...step.inputs].map(([name, value]) => [name, asInput(name, values.get(value))]));
    const weights = await siteWeights(context, step);
    const { dtype } = context;
    const timed = await timeKernel(unfused, { inputs: { ...given, ...weights }, attributes: step.attributes, dtype, variant: "fused" });
    if (timed.timer !== "device") throw new KernelError(`${unfused.name} gave no time`);
    us += timed.us;
    for (const [name, value] of step.outputs) {
      const output = timed.outputs[name];
      values.set(value, shape === null ? output : { data: output.data, shape: shape(output.shape[0] ?? 0) });
    }
  }
  return { us, timer: "device" };
}
function asInput(name, tensor) {
  const tokens = tensor.shape[0] ?? 1;
  return name === "x" ? { data: tensor.data, shape: [tokens, tensor.data.length / tokens] } : tensor;
}
function chainOf(program, site, unfused, kernel) {
  const linear = unfused.find(({ op }) => op === "linear");
  const usable = unfused.filter(({ name }) => name !== unfusedName(kernel.name));
  const candidates = usable.flatMap((each) => findSites(program, each.op).map((found) => ({ kernel: each, site: found, shape: null }))).filter(({ site: { start, end } }) => start >= site.start && end <= site.end && (end - start < site.end - site.start || start === end)).sort((a, b) => a.site.end - a.site.start - (b.site.end - b.site.start));
  const steps = [];
  for (let index = site.start; index <= site.end; ) {
    const op = program.ops[index];
    const found = op.op === "qkv" && linear !== void 0 ? projections(op, index, linear) : candidates.filter(({ site: { start } }) => start === index).slice(0, 1);
    const last = found.at(-1);
    if (last === void 0) throw new NoChain(`there is no unfused CUDA kernel of ours for ${op.op} in this dtype`);
    steps.push(...found);
    index = last.site.end + 1;
  }
  return steps;
}
function projections(op, index, kernel) {
  return matrices(op).map(({ ref, bias, output, shape }) => ({
    kernel,
    shape,
    site: {
      op: "linear",
      start: index,
      end: index,
      layer: op.layer,
      name: op.site,
      inputs: /* @__PURE__ */ new Map([["x", op.inputs["x"]]]),
      weights: new Map([["weight", [ref]], ...bias === void 0 ? [] : [["bias", [bias]]]]),
      outputs: /* @__PURE__ */ new Map([["y", output]]),
      attributes: {}
    }
  }));
}

// src/diff/probe-inputs.ts
function tokenShapes(program) {
  const shapes = /* @__PURE__ */ new Map();
  for (const op of program.ops) {
    for (const [tensor, value] of Object.entries(op.outputs)) {
      const like = (name) => shapes.get(op.inputs[name]) ?? [];
      if (op.op === "embed") shapes.set(value, [program.hidden_size]);
      else if (op.op === "linear") shapes.set(value, [op.weights["weight"]?.shape[0] ?? 0]);
      else if (op.op === "qkv" || op.op === "split_heads") {
        shapes.set(value, [Number(op.attributes[tensor === "q" ? "num_heads" : "num_kv_heads"]), Number(op.attributes["head_dim"])]);
      } else if (op.op === "attention") shapes.set(value, like("q"));
      else if (op.op === "silu_mul" || op.op === "gelu_tanh_mul") shapes.set(value, like("gate"));
      else shapes.set(value, like(tensor in op.inputs ? tensor : "x"));
    }
  }
  return shapes;
}
function isRotary(name) {
  return name === "cos" || name === "sin";
}
function randomInputs(program, site, dtype, positions, seed) {
  const shapes = tokenShapes(program);
  const inputs = {};
  for (const [index, [name, value]] of [...site.inputs].entries()) {
    if (isRotary(name)) {
      inputs[name] = rotaryAt(program, value, positions);
      continue;
    }
    const shape = shapes.get(value) ?? [];
    const width = shape.reduce((product2, size) => product2 * size, 1);
    inputs[name] = {
      data: roundToServing(normal(positions.length * width, seed + index), dtype),
      shape: name === "x" ? [positions.length, width] : [positions.length, ...shape]
    };
  }
  return inputs;
}
function scaled(inputs, factor, dtype, only = () => true) {
  const change = ([name, array]) => {
    if (isRotary(name) || !only(name)) return [name, array];
    const values = new Float32Array(array.data.length);
    for (let i = 0; i < values.length; i++) values[i] = array.data[i] * factor;
    return [name, { ...array, data: roundToServing(values, dtype) }];
  };
  return Object.fromEntries(Object.entries(inputs).map(change));
}
function takeRows(tensors, chosen) {
  return Object.fromEntries(Object.entries(tensors).map(([name, array]) => [name, take(array, chosen)]));
}
function take({ data, shape: [count = 1, ...rest] }, chosen) {
  const width = data.length / count;
  const taken = data instanceof Float64Array ? new Float64Array(chosen.length * width) : new Float32Array(chosen.length * width);
  for (const [i, row] of chosen.entries()) taken.set(data.subarray(row * width, (row + 1) * width), i * width);
  return { data: taken, shape: [chosen.length, ...rest] };
}
function changeRow(inputs, names, row, change) {
  const changed2 = { ...inputs };
  for (const name of names) {
    const { data, shape } = inputs[name];
    const width = data.length / (shape[0] ?? 1);
    const copy = Float32Array.from(data);
    for (let at = row * width; at < (row + 1) * width; at++) copy[at] = change(copy[at]);
    changed2[name] = { data: copy, shape };
  }
  return changed2;
}
function normal(count, seed) {
  let state = Math.imul(seed + 1, 2654435769);
  const uniform = () => {
    state = state + 1831565813 | 0;
    let bits = Math.imul(state ^ state >>> 15, state | 1);
    bits ^= bits + Math.imul(bits ^ bits >>> 7, bits | 61);
    return ((bits ^ bits >>> 14) >>> 0) / 2 ** 32;
  };
  const values = new Float32Array(count);
  for (let i = 0; i < count; i++) values[i] = Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
  return values;
}
function range(start, end) {
  return Array.from({ length: end - start }, (_, i) => start + i);
}
function oneSequence(inputs) {
  return { ids: [], segments: [{ start: 0, end: Object.values(inputs)[0]?.shape[0] ?? 0 }] };
}

// src/diff/sensitivity.ts
var SEED = 2e4;
function unrounded(dtype) {
  return dtype === "float32" ? ORACLE : { ...ORACLE, name: "unrounded", compute: "float32" };
}
function perturbed(program, site, dtype) {
  const head2 = program.ops.findIndex(({ outputs }) => Object.values(outputs).includes(program.logits));
  const nothing2 = { end: head2, run: () => Promise.resolve() };
  const lane = {
    recipe: unrounded(dtype),
    values: /* @__PURE__ */ new Map(),
    standIns: /* @__PURE__ */ new Map([[head2, nothing2]]),
    kept: { values: "ends", changedAfter: (index) => index === site.end }
  };
  let injected = 0;
  return {
    lane,
    site,
    perturb(rms) {
      const names = [...site.outputs.values()];
      const arrays = names.map((name) => lane.values.get(name));
      const elements = arrays.reduce((sum, { data }) => sum + data.length, 0);
      const size = Math.sqrt(arrays.reduce((sum, { data }) => sum + sumOfSquares2(data), 0) / elements);
      if (!(rms > 0) || !(size > 0) || !Number.isFinite(rms / size)) return;
      const relative = 2 ** Math.round(Math.log2(rms / size));
      let squares = 0;
      for (const [i, array] of arrays.entries()) {
        const noise = normal(array.data.length, SEED + i);
        const data = array.data.map((value, at) => value * (1 + relative * noise[at]));
        for (let at = 0; at < data.length; at++) squares += (data[at] - array.data[at]) ** 2;
        lane.values.set(names[i], { data, shape: array.shape });
      }
      injected = Math.sqrt(squares / elements);
    },
    sensitivity: (finalError) => injected > 0 && finalError !== void 0 && Number.isFinite(finalError) ? finalError / injected : null
  };
}
function sumOfSquares2(data) {
  let sum = 0;
  for (const value of data) sum += value * value;
  return sum;
}

// src/diff/line-up.ts
async function lineUp(runner2, options) {
  const { program, dtype, kernels, limits } = options;
  const sequence = joinPrompts(program, options.prompts);
  const recipes = validRecipes(dtype);
  const sites = new Map(kernels.map((kernel) => [kernel, findSites(program, kernel.op, options.config)]));
  const standing = kernels.filter((kernel) => isWholeModel(kernel) || isGenerator(kernel) || (sites.get(kernel)?.length ?? 0) > 0);
  const devices = await startKernels(standing, options.require_gpu);
  const names = recipes.map(({ name }) => name);
  const recordOf = (kernel) => kernelRecord(kernel, devices.get(kernel), names, dtype, limits);
  const records = new Map(standing.map((kernel) => [kernel, recordOf(kernel)]));
  const standards = new Map(standing.filter((kernel) => offersStandard(devices.get(kernel))).map((kernel) => [kernel, recordOf(kernel)]));
  const started = standing.filter((kernel) => !(devices.get(kernel) instanceof KernelError));
  const assemblies = assemble(started, (kernel) => sites.get(kernel) ?? []).map((placements) => ({ placements, failures: [] }));
  const pure = [ORACLE, ...recipes].map((recipe, i) => {
    return { recipe, values: /* @__PURE__ */ new Map(), standIns: /* @__PURE__ */ new Map(), kept: { values: i === 1 ? "looked_at" : "ends" } };
  });
  const [oracle, eagerLane] = pure;
  const fused = assemblies.map(({ placements, failures }) => {
    const of = kernelNames(placements);
    const context = { ...options, runner: runner2, sequence, recipes };
    return { ...fusedLane(context, placements, eagerLane, failures), kept: { values: "ends", of } };
  });
  const whole = { ...options, sequence };
  const first = assemblies[0]?.placements[0];
  return {
    ...options,
    runner: runner2,
    sequence,
    recipes,
    standing,
    started,
    devices,
    sites,
    assemblies,
    records,
    standards,
    models: started.filter(isWholeModel).map((kernel) => wholeModel(kernel, records.get(kernel), whole)),
    timed: started.flatMap((kernel) => {
      const site = timedSite(program, sites.get(kernel) ?? []);
      return site === void 0 ? [] : [{ kernel, site }];
    }),
    lanes: [...pure, ...fused],
    eagerLane,
    sitesAt: teacherForced(options, sites),
    suspects: suspectList(),
    canariesAt: canarySites(options, sites),
    controls: /* @__PURE__ */ new Map(),
    overflow: overflowWatch(dtype, sequence, oracle, eagerLane),
    perturbed: first === void 0 ? null : perturbed(program, first.site, dtype)
  };
}
async function startKernels(kernels, requireGpu) {
  const started = await Promise.all(
    kernels.map(async (kernel) => {
      try {
        return [kernel, await kernel.start()];
      } catch (error) {
        if (error instanceof KernelError) return [kernel, error];
        throw error;
      }
    })
  );
  if (!requireGpu) return new Map(started);
  for (const [{ name }, device] of started) {
    if (!(device instanceof KernelError) && !device.gpu)
      throw new ModelError("no_gpu", `require-gpu is set, but kernel ${name} would run on ${device.device}`);
  }
  const [first] = started;
  if (first?.[1] instanceof KernelError && started.every(([, device]) => device instanceof KernelError))
    throw new ModelError("no_gpu", `require-gpu is set, but no kernel could start on a GPU; ${first[0].name}: ${first[1].message}`);
  return new Map(started);
}
function offersStandard(device) {
  return device !== void 0 && !(device instanceof KernelError) && device.variants.includes("standard");
}
function isCompared({ layers }, { layer }) {
  return layers === "all" || layer === null || layers.includes(layer);
}
function teacherForced(options, sites) {
  const at = /* @__PURE__ */ new Map();
  for (const [kernel, own] of sites) {
    for (const site of own) {
      if (isCompared(options, site)) at.set(site.end, [...at.get(site.end) ?? [], { kernel, site }]);
    }
  }
  return at;
}
function canarySites(options, sites) {
  const at = /* @__PURE__ */ new Map();
  for (const [kernel, own] of sites) {
    const compared = own.filter((site) => isCompared(options, site));
    const middle = compared[compared.length >> 1];
    if (middle !== void 0) at.set(kernel.op, middle.start);
  }
  return at;
}

// src/diff/probe-set.ts
var TAILS = [1, 15, 16, 17, 63, 64, 65, 127, 128, 129];
var ROWS = 33;
var ODD_ROW = 8;
var ALONE = [5, 20, 32];
var LARGE = 2 ** 12;
var TINY = 2 ** -10;
var LARGE_SCORES = 100;
var DECODE = [
  { queries: 1, positions: 65 },
  { queries: 5, positions: 64 }
];
var WINDOW_QUERIES = 4;
var LARGEST = { bfloat16: 338e36, float16: 65504, float32: 34e37 };
var NOT_PROBED = /* @__PURE__ */ new Set(["model", "generate"]);
async function probeSets(context, sites) {
  const windowed = sites.find(({ attributes: attributes2 }) => Number(attributes2["window"] ?? 0) > 0);
  const sets = [];
  for (const site of probedSites(context, sites)) {
    const keeping = { ...context, weights: /* @__PURE__ */ new Map() };
    const maker = trialMaker(keeping, site);
    const probes = seesOtherTokens(site) ? await sequenceProbes(maker, windowed) : await rowProbes(maker);
    sets.push({ site, probes, weights: await siteWeights(keeping, site), depends: maker.depends });
  }
  return sets;
}
function probedSites({ program }, sites) {
  const [first] = sites;
  if (first === void 0 || NOT_PROBED.has(first.op)) return [];
  const layers = [...new Set(sites.flatMap(({ layer }) => layer ?? []))];
  const ops = program.ops.slice(first.start, first.end + 1);
  const cheap = first.weights.size > 0 && !ops.some(({ op }) => op === "linear" || op === "qkv");
  const chosen = [layers[layers.length >> 1], ...cheap ? [layers[0], layers.at(-1)] : []];
  return [...new Set(chosen)].map((layer) => sites.find((site) => site.layer === layer) ?? first);
}
function trialMaker(context, site) {
  const { program, dtype } = context;
  const recipes = distinctRecipes(
    context.recipes,
    program.ops.slice(site.start, site.end + 1).map(({ op }) => op)
  );
  const ops = program.ops.slice(site.start, site.end + 1);
  const nameOf = (inputs) => context.keeper ? digest({ what: "probe inputs", depends: null, tensors: inputs }) : "";
  const keyOf = (recipe, of) => ({
    what: "probe",
    depends: { dtype, recipe, ops, ...namesOf(site), of },
    tensors: {}
  });
  const run = async (recipe, inputs, of) => {
    const made = async () => ({ tensors: await runSite(context, site, recipe, inputs, oneSequence(inputs)), note: null });
    return (await remembered(context.keeper, () => keyOf(recipe, of), made)).tensors;
  };
  return {
    context,
    site,
    depends: { dtype, recipes, ops, ...namesOf(site) },
    inputs: (positions, seed) => randomInputs(program, site, dtype, positions, seed),
    async reference(inputs) {
      const of = nameOf(inputs);
      const all = [ORACLE, ...recipes];
      const reference = once(async () => {
        const [oracle = {}, ...others] = await Promise.all(all.map((recipe) => run(recipe, inputs, of)));
        return { oracle, recipes: others };
      });
      const there = await Promise.all(all.map(async (recipe) => await context.keeper?.has(keyOf(recipe, of)) === true));
      if (there.includes(false)) await reference();
      return reference;
    },
    eager: (inputs) => run(recipes[0], inputs, nameOf(inputs)),
    trial(inputs, reference, shape) {
      const tokens = countRows2(inputs);
      return { site, inputs, reference, rows: range(0, tokens), copies: 1, floors: NO_FLOORS, shape: shape ?? `T = ${tokens}` };
    }
  };
}
var NO_FLOORS = () => Promise.resolve({});
function once(make) {
  let made;
  return () => made ??= make();
}
function countRows2(inputs) {
  return Object.values(inputs)[0]?.shape[0] ?? 0;
}
function referenceRows(reference, chosen) {
  return once(async () => {
    const { oracle, recipes } = await reference();
    return { oracle: takeRows(oracle, chosen), recipes: recipes.map((outputs) => takeRows(outputs, chosen)) };
  });
}
function floorsOf2(reference, dtype) {
  return once(async () => {
    const { oracle, recipes } = await reference();
    const of = ([name, { data }]) => {
      const outputs = recipes.map((values) => values[name].data);
      const { rms_floor, max_floor } = yardstick(data, outputs, dtype);
      return [name, { rms_floor, max_floor }];
    };
    return Object.fromEntries(Object.entries(oracle).map(of));
  });
}
function head(tensors, count) {
  return Object.fromEntries(Object.entries(tensors).map(([name, array]) => [name, rows(array, 0, count)]));
}
function tails({ trial, context }, inputs, reference) {
  const floors = floorsOf2(reference, context.dtype);
  const trials = TAILS.map((count) => {
    const known = once(async () => {
      const { oracle, recipes } = await reference();
      return { oracle: head(oracle, count), recipes: recipes.map((outputs) => head(outputs, count)) };
    });
    return { ...trial(head(inputs, count), known), floors };
  });
  return { name: "tails", rule: "reference", trials, tried: `T = ${TAILS.join(", ")}` };
}
function single2(name, trial, tried, rule = "reference") {
  return { name, rule, trials: [trial], tried };
}
function repeats2(first, second) {
  return {
    name: "repeats",
    rule: "repeats",
    trials: [first, second, first, first],
    tried: "three calls with the same inputs and another between"
  };
}
function batchInvariance(whole, alone, besideLoud) {
  const tried = `rows ${ALONE.slice(0, -1).join(", ")} and ${ALONE.at(-1)} alone and in a batch of ${ROWS}, and the batch with a large row ${ODD_ROW}`;
  return { name: "batch_invariance", rule: "batch", trials: [whole, ...alone, besideLoud], tried };
}
async function rowProbes(maker) {
  const { site, trial } = maker;
  const { program, dtype } = maker.context;
  const base = maker.inputs(range(0, Math.max(...TAILS)), 1);
  const known = await maker.reference(base);
  const part = (chosen, shape) => trial(takeRows(base, chosen), referenceRows(known, chosen), shape);
  const few = part(range(0, ROWS));
  const large = await largestFinite(maker, few.inputs);
  const tiny = scaled(few.inputs, TINY, dtype);
  const zero = scaled(takeRows(base, [0]), 0, dtype);
  const same = range(0, ROWS).map(() => 0);
  const names = [...site.inputs.keys()].filter((name) => !isRotary(name));
  const withOddRow = (change) => oddRow(few, names, change);
  const probes = [
    tails(maker, base, known),
    single2("large_magnitudes", trial(large.inputs, await maker.reference(large.inputs)), `values of deviation ${large.factor}`),
    single2("tiny_magnitudes", trial(tiny, await maker.reference(tiny)), `values of deviation 2^${Math.log2(TINY)}`),
    single2("equal_rows", { ...part(same), copies: ROWS, floors: floorsOf2(known, dtype) }, `${ROWS} equal rows`),
    single2("zeros", trial(takeRows(zero, same), referenceRows(await maker.reference(zero), same)), `${ROWS} rows of zeros`),
    single2(
      "nan_row",
      withOddRow(() => NaN),
      `row ${ODD_ROW} of ${names.join(", ")} NaN`,
      "finite"
    ),
    repeats2(part(range(0, 65)), part(range(64, 129))),
    batchInvariance(
      few,
      ALONE.map((row) => ({ ...part([row], `row ${row} alone`), rows: [row] })),
      withOddRow((value) => value * large.factor)
    )
  ];
  if (!site.inputs.has("cos")) return probes;
  const last = program.max_position_embeddings;
  const late = maker.inputs(range(Math.max(0, last - ROWS), last), 11);
  const tried = `positions ${Math.max(0, last - ROWS)} to ${last - 1}`;
  return [...probes, single2("late_positions", trial(late, await maker.reference(late)), tried)];
}
function oddRow(few, names, change) {
  const rows2 = few.rows.filter((row) => row !== ODD_ROW);
  return { ...few, inputs: changeRow(few.inputs, names, ODD_ROW, change), rows: rows2 };
}
async function largestFinite(maker, inputs) {
  const { dtype } = maker.context;
  const most = LARGEST[dtype] / 4;
  const fits = async (candidate) => {
    const arrays = [...Object.values(candidate), ...Object.values(await maker.eager(candidate))];
    return arrays.every(({ data }) => data.every((value) => Math.abs(value) <= most));
  };
  let factor = LARGE;
  while (factor > 1 && !await fits(scaled(inputs, factor, dtype))) factor /= 4;
  return { inputs: scaled(inputs, factor, dtype), factor };
}
async function sequenceProbes(maker, windowed) {
  const base = maker.inputs(range(0, Math.max(...TAILS)), 1);
  const known = await maker.reference(base);
  const part = (count) => maker.trial(head(base, count), referenceRows(known, range(0, count)));
  const other = maker.inputs(range(0, 65), 21);
  const whole = [tails(maker, base, known), repeats2(part(65), maker.trial(other, await maker.reference(other)))];
  if (maker.site.op !== "attention") return whole;
  const window = windowed === void 0 ? [] : [await windowEdges(trialMaker(maker.context, windowed))];
  return [...whole, ...await attentionProbes(maker, base, known, part(ROWS)), ...window];
}
async function attentionProbes(maker, base, known, few) {
  const { site, trial } = maker;
  const { dtype } = maker.context;
  const width = few.inputs["q"]?.shape[2] ?? 1;
  const factor = Math.sqrt(LARGE_SCORES / (Number(site.attributes["scale"]) * Math.sqrt(width)));
  const large = scaled(few.inputs, factor, dtype, (name) => name !== "v");
  const tiny = scaled(few.inputs, TINY, dtype);
  const equal = takeRows(
    few.inputs,
    few.rows.map(() => 0)
  );
  const zero = scaled(few.inputs, 0, dtype);
  const floors = floorsOf2(known, dtype);
  const decode = (queries, positions) => {
    const rows2 = range(positions - queries, positions);
    const inputs = { ...head(base, positions), q: takeRows(base, rows2)["q"] };
    return { ...trial(inputs, referenceRows(known, rows2), `T = ${queries}, S = ${positions}`), rows: range(0, queries), floors };
  };
  return [
    single2("large_magnitudes", trial(large, await maker.reference(large)), `scores of deviation ${LARGE_SCORES}`),
    single2("tiny_magnitudes", trial(tiny, await maker.reference(tiny)), `values of deviation 2^${Math.log2(TINY)}`),
    single2("equal_rows", trial(equal, await maker.reference(equal)), `${ROWS} equal rows`),
    single2("zeros", trial(zero, await maker.reference(zero)), `${ROWS} rows of zeros`),
    single2(
      "nan_row",
      oddRow(few, ["q"], () => NaN),
      `row ${ODD_ROW} of q NaN`,
      "finite"
    ),
    batchInvariance(
      few,
      ALONE.map((row) => ({ ...decode(1, row + 1), rows: [row], shape: `row ${row} alone` })),
      oddRow(few, ["q"], (value) => value * factor)
    ),
    {
      name: "decode",
      rule: "reference",
      trials: DECODE.map(({ queries, positions }) => decode(queries, positions)),
      tried: DECODE.map(({ queries, positions }) => `T = ${queries} with S = ${positions}`).join(", ")
    }
  ];
}
async function windowEdges(maker) {
  const window = Number(maker.site.attributes["window"]);
  const positions = window + 2;
  const queries = Math.min(WINDOW_QUERIES, positions);
  const all = maker.inputs(range(0, positions), 31);
  let inputs = { ...all, q: takeRows(all, range(positions - queries, positions))["q"] };
  const loud = Math.max(1, Math.sqrt(window) / 2);
  for (const row of range(0, Math.min(queries, positions))) inputs = changeRow(inputs, ["v"], row, (value) => value * loud);
  inputs = scaled(inputs, 1, maker.context.dtype);
  const trial = maker.trial(inputs, await maker.reference(inputs), `T = ${queries}, S = ${positions}, window ${window}`);
  return single2("window_edges", trial, `T = ${queries} with S = ${positions} and a window of ${window}`);
}

// src/diff/probes.ts
var MOST_FAILURES = 2;
var CHECKS = {
  outputs_written: "every element of every output was written",
  guard_bands: "nothing was written beside the outputs",
  inputs_unchanged: "the inputs were left as they were"
};
async function runProbes(context, sets, kernel, device) {
  const at = [];
  for (const set of sets) {
    const results = await probesAt(context, set, kernel, device);
    at.push({ place: place(set.site), results });
    if (results.some(({ status }) => status === "inconclusive")) break;
  }
  return joined2(at);
}
function joined2(at) {
  const names = [...new Set(at.flatMap(({ results }) => results.map(({ name }) => name)))];
  return names.map((name) => {
    const each = at.flatMap(({ place: where, results }) => results.filter((one) => one.name === name).map((one) => ({ ...one, where })));
    const status = ["fail", "inconclusive"].find((level) => each.some((one) => one.status === level)) ?? "pass";
    const worst = each.filter((one) => one.status === status);
    const { detail } = worst[0];
    const places = worst.map(({ where }) => where).join(", ");
    return { name, status, detail: at.length === 1 || status === "pass" ? detail : `${detail} (weights of ${places})` };
  });
}
async function probesAt(context, set, kernel, device) {
  const { probes, weights } = set;
  const seen = violationLog();
  const given = copied(weights);
  let calls = 0;
  const ask2 = async (trial) => {
    const inputs = copied(trial.inputs);
    const { outputs, violations } = await callKernel(context, kernel, trial.site, { ...inputs, ...given }, oneSequence(inputs));
    calls++;
    const changed2 = differingRows(trial.inputs, inputs) ?? differingRows(weights, given);
    if (changed2 !== null) Object.assign(given, copied(weights));
    const found = changed2 === null ? [] : [{ check: "inputs_unchanged", detail: `${changed2.rows} of ${changed2.name} ${changed2.was} changed` }];
    const answered = { trial, outputs, violations: [...violations, ...found] };
    seen.add(answered);
    return answered;
  };
  const results = [];
  for (const probe2 of probes) {
    const failures = results.filter(({ status }) => status === "inconclusive").length;
    results.push({
      name: probe2.name,
      ...failures < MOST_FAILURES ? await runProbe(context, probe2, ask2, { ...set.depends, kernel: kernel.name }) : { status: "inconclusive", detail: "not run, because the kernel gave no answer in the probes before" }
    });
  }
  return [...results, ...seen.results(device.observes ?? [], calls)];
}
async function runProbe({ dtype, limits, keeper }, probe2, ask2, by) {
  const answers = [];
  for (const trial of probe2.trials) {
    try {
      answers.push(await ask2(trial));
    } catch (error) {
      if (!(error instanceof KernelError)) throw error;
      return { status: "inconclusive", detail: `${trial.shape}: ${error.message}` };
    }
  }
  const { name, rule, tried } = probe2;
  const key = () => {
    const trials = answers.map(({ trial: { shape, rows: rows2, copies }, violations }) => ({ shape, rows: rows2, copies, violations }));
    const tensors = answers.flatMap(({ trial, outputs }, i) => [...named2(`${i} given`, trial.inputs), ...named2(`${i} answered`, outputs)]);
    return {
      what: "probed",
      depends: { ...by, dtype, limits, name, rule, tried, trials },
      tensors: Object.fromEntries(tensors),
      last: true
    };
  };
  const { note } = await remembered(keeper, key, async () => ({ tensors: {}, note: await judge2({ dtype, limits }, probe2, answers) }));
  return note;
}
function named2(prefix, tensors) {
  return Object.entries(tensors).map(([name, array]) => [`${prefix} ${name}`, array]);
}
async function judge2(criteria, probe2, answers) {
  const known = await Promise.all(
    answers.map(async (answered) => {
      const { reference, floors } = answered.trial;
      return { ...answered, reference: await reference(), floors: await floors() };
    })
  );
  switch (probe2.rule) {
    case "repeats":
      return judgeRepeats(criteria, known, probe2.tried);
    case "batch":
      return judgeBatch(criteria, known, probe2.tried);
    default:
      return judgeTrials(criteria, known, probe2);
  }
}
function judgeTrials(criteria, answers, { rule, tried }) {
  const failing = answers.flatMap((answered) => {
    const finding = findingOf(criteria, answered, rule === "finite");
    return finding === null ? [] : [{ finding, shape: answered.trial.shape }];
  });
  const [first, ...others] = failing;
  if (first === void 0) return { status: "pass", detail: tried };
  const also = others.length === 0 ? "" : `; also for ${others.map(({ shape }) => shape).join(", ")}`;
  return { status: "fail", detail: `${first.finding} for ${first.shape}${also}` };
}
function findingOf({ dtype, limits }, answered, onlyFinite) {
  for (const [name, compared] of comparisons(answered, dtype)) {
    const { level, detail } = judgeMeasure(compared.measure, dtype, limits);
    if (onlyFinite ? compared.measure.non_finite === 0 : level !== "fail") continue;
    const written = !answered.violations.some(
      ({ check, detail: text }) => check === "outputs_written" && new RegExp(`\\b${name}\\b`).test(text)
    );
    const wrong = wrongRows(compared, limits.warn_ratio);
    return describeRows(name, compared, wrong, written) ?? `${name}: ${detail ?? "not finite"}`;
  }
  return null;
}
function comparisons(answered, dtype) {
  const { trial, outputs, reference } = answered;
  return Object.entries(outputs).map(([name, output]) => {
    const oracle = reference.oracle[name];
    const all = trial.rows.length === oracle.shape[0];
    const part = ({ data }) => all || trial.rows.length === 1 ? data : takeRows({ it: { data, shape: oracle.shape } }, trial.rows)["it"].data;
    const fused = part(output);
    const exact = part(oracle);
    const recipes = reference.recipes.map((values) => part(values[name]));
    const known = FLOORS.get(trial)?.[name] ?? floorsOf(exact, recipes, dtype);
    FLOORS.set(trial, { ...FLOORS.get(trial), [name]: known });
    const measured = steadied(measure(fused, yardstick(exact, recipes, dtype, known)), name, answered);
    return [name, { fused, oracle: exact, measure: measured, rows: trial.rows }];
  });
}
var FLOORS = /* @__PURE__ */ new WeakMap();
function steadied(measured, output, { trial: { copies }, floors }) {
  const { rms_floor = 0, max_floor = 0 } = floors[output] ?? {};
  return {
    ...measured,
    rms_floor: Math.max(measured.rms_floor, rms_floor),
    max_floor: Math.max(measured.max_floor, max_floor),
    scale: { mean: measured.scale.mean, standard_error: measured.scale.standard_error * Math.sqrt(copies) }
  };
}
function judgeRepeats(criteria, [first, ...others], tried) {
  const wrong = (answered) => answered === void 0 ? null : findingOf(criteria, answered, false);
  for (const other of others) {
    const same = other.trial === first?.trial;
    const difference2 = differingRows(first?.outputs ?? {}, other.outputs);
    const shape = other.trial.shape;
    if (same && difference2 !== null) {
      const { rows: rows2, name, count } = difference2;
      const verb = count === 1 ? "differs" : "differ";
      return { status: "fail", detail: `${rows2} of ${name} ${verb} between calls with the same inputs for ${shape}` };
    }
    if (!same && difference2 === null)
      return { status: "fail", detail: `a call with other inputs gives the answer of the call before for ${shape}` };
  }
  const between = others.find(({ trial }) => trial !== first?.trial);
  const leftOver = wrong(first) === null ? wrong(between) : null;
  if (leftOver !== null)
    return { status: "fail", detail: `${leftOver} in a call between, with other inputs of the same shape, ${between?.trial.shape}` };
  return { status: "pass", detail: `bitwise equal in ${tried}` };
}
function judgeBatch({ dtype, limits }, [whole, ...others], tried) {
  const base = new Map(whole === void 0 ? [] : comparisons(whole, dtype));
  let differing = 0;
  for (const { trial, outputs } of others) {
    for (const [name, output] of Object.entries(outputs)) {
      const { fused: all, measure: floors, rows: batch } = base.get(name);
      const width = all.length / batch.length;
      const array = { data: output.data, shape: [output.data.length / width, width] };
      const beside = trial.rows.length === 1 ? array : takeRows({ it: array }, trial.rows)["it"];
      const expected = takeRows({ it: { data: all, shape: [batch.length, width] } }, trial.rows)["it"].data;
      const compared = { fused: beside.data, oracle: Float64Array.from(expected), measure: floors, rows: trial.rows };
      const wrong = wrongRows(compared, limits.warn_ratio).map((i) => trial.rows[i]);
      if (wrong.length > 0) {
        const verb = wrong.length === 1 ? "differs" : "differ";
        const where = trial.rows.length === 1 ? `alone and in a batch (${whole?.trial.shape})` : `with and without a large row beside for ${trial.shape}`;
        return { status: "fail", detail: `${rowNames(wrong)} of ${name} ${verb} ${where}` };
      }
      if (beside.data.some((value, i) => value !== expected[i])) differing++;
    }
  }
  return {
    status: "pass",
    detail: `${tried}: ${differing === 0 ? "bitwise equal" : "within the noise of correct implementations, not bitwise equal"}`
  };
}
function violationLog() {
  const first = /* @__PURE__ */ new Map();
  return {
    add(answered) {
      for (const { check, detail } of answered.violations) {
        if (!first.has(check)) first.set(check, detail.includes(" for T = ") ? detail : `${detail} for ${answered.trial.shape}`);
      }
    },
    /** Checks that the backend cannot make are left out, unless one failed all the same. */
    results: (observed, calls) => Object.keys(CHECKS).flatMap((name) => {
      const detail = first.get(name);
      if (detail !== void 0) return [{ name, status: "fail", detail }];
      return observed.includes(name) && calls > 0 ? [{ name, status: "pass", detail: `${CHECKS[name]} in ${calls} calls` }] : [];
    })
  };
}
function copied(tensors) {
  return Object.fromEntries(Object.entries(tensors).map(([name, { data, shape }]) => [name, { data: data.slice(), shape }]));
}

// src/diff/numeric-diff.ts
async function numericDiff(runner2, options) {
  const diff2 = await lineUp(runner2, options);
  if (diff2.standing.length === 0) return nothing(diff2);
  const through = await goThrough(diff2);
  const overflow = diff2.overflow.found;
  if (overflow !== null) for (const record of diff2.records.values()) record.unreached(`not compared: ${overflow}`);
  await probe(diff2);
  const { model, causes, timed, writes, noise, ...shown } = await conclude(diff2, through);
  const kernels = diff2.standing.map((kernel) => diff2.records.get(kernel).result(diff2.standards.get(kernel)?.result()));
  const levels = [...kernels.map(({ status }) => status), ...model === null ? [] : [model.status]];
  const isWritten = writes !== null && options.max_new_tokens > 0 && overflow === null;
  const smallest = kernels.flatMap(({ smallest_scale_error: smallestOf2 }) => smallestOf2 ?? []);
  return {
    ...nothing(diff2),
    status: ["fail", "inconclusive", "warn"].find((level) => levels.includes(level)) ?? "pass",
    kernels,
    causes: [...causes],
    model,
    generation: isWritten ? await generate({ ...diff2, fused: writes, noise, decisive_margin: diff2.limits.decisive_margin }) : null,
    performance: await measurePerformance(diff2, timed),
    canaries: [...diff2.standing.flatMap((kernel) => diff2.records.get(kernel).canaries), ...shown.canaries],
    controls: [...diff2.controls.values(), ...shown.controls],
    smallest_scale_error: smallest.length === 0 ? null : Math.max(...smallest)
  };
}
function nothing({ recipes, prompts }) {
  return {
    status: "inconclusive",
    recipes: recipes.map(({ name }) => name),
    prompt_tokens: prompts.map((prompt) => prompt.length),
    kernels: [],
    causes: [],
    model: null,
    generation: null,
    performance: null,
    canaries: null,
    controls: null,
    smallest_scale_error: null
  };
}
async function probe(diff2) {
  const { started, sites, devices } = diff2;
  const sound = started.filter((kernel) => !diff2.records.get(kernel).failed);
  for (const op of new Set(sound.map((kernel) => kernel.op))) {
    const kernels = sound.filter((kernel) => kernel.op === op);
    const compared = (sites.get(kernels[0]) ?? []).filter((site) => isCompared(diff2, site));
    const sets = await probeSets(diff2, compared);
    if (sets.length === 0) continue;
    for (const kernel of kernels) {
      const results = await runProbes(diff2, sets, kernel, devices.get(kernel));
      diff2.records.get(kernel).probed(results);
    }
  }
}

// src/hub/arriving.ts
init_errors();
function arrivingFiles(folder, arriving, ask2) {
  const expected = new Map(arriving.map((file) => [file.name, file]));
  const arrived = async (name) => {
    const reply = await ask2({ kind: "await_file", file: name });
    if ("refused" in reply) throw new ModelError(reply.refused.code, reply.refused.message);
  };
  return {
    ...folder,
    async open(name) {
      const file = expected.get(name);
      return file === void 0 ? folder.open(name) : arrivingFile(file, folder, arrived);
    }
  };
}
function arrivingFile({ name, byteLength, head: head2 }, folder, arrived) {
  const shown = printable(name);
  let whole = null;
  let closed = false;
  const open = async () => {
    await arrived(name);
    const source = await folder.open(name);
    if (source === null) throw new ModelError("weights_invalid", `${shown}: the file went away after its download. Run again.`);
    if (closed || !await beginsWith(source, byteLength, head2)) {
      await source.close();
      throw new ModelError(
        "integrity",
        `${shown}: the server gave other first bytes (${head2.byteLength}) or another length by range than in the whole, verified file. Run again.`
      );
    }
    return source;
  };
  return {
    name: shown,
    byteLength,
    async slice(start, end) {
      if (start >= 0 && start <= end && end <= head2.byteLength) return head2.slice(start, end);
      return (await (whole ??= open())).slice(start, end);
    },
    close: () => {
      closed = true;
      void whole?.then((source) => source.close()).catch(() => void 0);
      return Promise.resolve();
    }
  };
}
async function beginsWith(source, byteLength, head2) {
  if (source.byteLength !== byteLength || head2.byteLength > byteLength) return false;
  return Buffer.compare(await source.slice(0, head2.byteLength), head2) === 0;
}

// src/kernels/remote.ts
function remoteKernel({ name, op, backend }, dtype, ask2) {
  return {
    name,
    op,
    backend,
    async start() {
      const reply = await ask2({ kind: "start_kernel", kernel: name, dtype });
      if ("device" in reply) return reply.device;
      throw new KernelError("failed" in reply ? reply.failed : "no device was named");
    },
    async run(call) {
      const reply = await ask2({ kind: "call_kernel", kernel: name, call: { ...call, inputs: compact(call.inputs) } });
      if ("answer" in reply) return reply.answer;
      throw new KernelError("failed" in reply ? reply.failed : "there was no answer");
    },
    // The process outlives the model: the run ends it.
    close: () => Promise.resolve()
  };
}
function compact(inputs) {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, { data, shape }]) => [
      name,
      { data: data.byteLength === data.buffer.byteLength ? data : data.slice(), shape }
    ])
  );
}

// src/reference/forward.ts
async function forward(runner2, program, checkpoint, options) {
  const sequence = joinPrompts(program, [options.ids]);
  const lane = { recipe: options.recipe, values: /* @__PURE__ */ new Map(), standIns: /* @__PURE__ */ new Map() };
  const size = options.ids.length * program.hidden_size;
  const float64 = options.recipe.compute === "float64";
  const hidden = float64 ? new Float64Array(program.hidden.length * size) : new Float32Array(program.hidden.length * size);
  const logitsIndex = program.ops.length - 1;
  let logits;
  await walk({
    program,
    checkpoint,
    sequence,
    runner: runner2,
    dtype: options.dtype,
    lanes: [lane],
    scanAll: false,
    keep: /* @__PURE__ */ new Map(),
    afterOp(index, op) {
      for (const name of Object.values(op.outputs)) {
        const at = program.hidden.indexOf(name);
        if (at >= 0) hidden.set(lane.values.get(name).data, at * size);
      }
      if (index === logitsIndex) logits = lane.values.get(program.logits);
      if (op.layer !== null && program.ops[index + 1]?.layer !== op.layer) options.onLayer?.(op.layer);
      return Promise.resolve();
    }
  });
  return { logits, hidden: { data: hidden, shape: [program.hidden.length, options.ids.length, program.hidden_size] } };
}

// src/tokenizer/tokenizer.ts
init_errors();

// src/tokenizer/sentencepiece.ts
import { devNull } from "node:os";

// src/tokenizer/tokenizer-files.ts
init_errors();
function invalid(file, problem) {
  return new ModelError("tokenizer_invalid", `${file}: ${problem}`);
}
function quote(value) {
  return value === void 0 ? "missing" : printable(JSON.stringify(value));
}
function causeOf(thrown) {
  return printable(typeof thrown === "object" && thrown !== null && "message" in thrown ? String(thrown.message) : String(thrown));
}
async function readTokenizerFile(files, name, limit) {
  let source = null;
  let bytes;
  try {
    source = await files.open(name);
    if (source === null) return null;
    if (source.byteLength === 0) throw invalid(name, "the file is empty; download it again");
    if (source.byteLength > limit)
      throw invalid(name, `the file has ${source.byteLength} bytes; at most ${limit} (${limit / 1e6} MB) are read`);
    bytes = await source.slice(0, source.byteLength);
  } catch (error) {
    throw error instanceof ModelError ? new ModelError("tokenizer_invalid", error.message) : error;
  } finally {
    await source?.close();
  }
  const head2 = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, 64)).toString("latin1");
  if (head2.startsWith("version https://git-lfs")) {
    throw invalid(name, 'this is a Git LFS pointer, not the file itself; run "git lfs pull" in the model folder');
  }
  if (/^\s*<(?:!doctype|html|head|\?xml)/i.test(head2)) {
    throw invalid(name, "this is a web page, not a tokenizer: a proxy or a login page answered the download; download it again");
  }
  return bytes;
}
function parseJsonObject(name, bytes) {
  let value;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (thrown) {
    throw invalid(name, `not a complete JSON text (${causeOf(thrown)}); was the file cut? Download it again`);
  }
  if (!isObject(value)) throw invalid(name, "the JSON text must be an object");
  return value;
}
function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

// src/tokenizer/sentencepiece-model.ts
var UNKNOWN = 2;
var CONTROL = 3;
var WIRE_VARINT = 0;
var WIRE_64 = 1;
var WIRE_BYTES = 2;
var WIRE_32 = 5;
var utf8 = new TextDecoder("utf-8", { fatal: true });
function readSentencePieceModel(file, bytes) {
  const pieces = [];
  const special = [];
  const ids = { bos: 1, eos: 2 };
  for (const field of fields(file, bytes)) {
    if (field.number === 1) {
      const piece = readPiece(file, field.bytes, pieces.length);
      if (piece.type === CONTROL || piece.type === UNKNOWN) special.push(pieces.length);
      pieces.push(piece.text);
    } else if (field.number === 2) {
      for (const inner of fields(file, field.bytes)) {
        if (inner.number === 41) ids.bos = inner.value;
        if (inner.number === 42) ids.eos = inner.value;
      }
    } else if (field.number === 3) {
      for (const inner of fields(file, field.bytes)) if (inner.number === 2) checkCharsmap(file, inner.bytes);
    }
  }
  if (pieces.length === 0) throw invalid(file, "it holds no pieces; it is no SentencePiece model");
  const within = (id) => id >= 0 && id < pieces.length ? id : null;
  return { pieces, special, bosId: within(ids.bos), eosId: within(ids.eos) };
}
function readPiece(file, bytes, id) {
  let text = "";
  let type = 1;
  for (const field of fields(file, bytes)) {
    if (field.number === 3) type = field.value;
    if (field.number !== 1) continue;
    try {
      text = utf8.decode(field.bytes);
    } catch {
      throw invalid(file, `piece ${id} is not UTF-8`);
    }
  }
  if (text === "") throw invalid(file, `piece ${id} is empty`);
  return { text, type };
}
function checkCharsmap(file, bytes) {
  if (bytes.byteLength === 0) return;
  const trie = bytes.byteLength >= 4 ? new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true) : 0;
  if (trie < 4 || trie % 4 !== 0 || trie >= bytes.byteLength - 4 || bytes[bytes.byteLength - 1] !== 0) {
    throw invalid(file, `its precompiled_charsmap of ${bytes.byteLength} bytes is broken (it claims a trie of ${trie} bytes)`);
  }
}
function* fields(file, bytes) {
  let at = 0;
  const cut = () => invalid(file, "it is cut or is no SentencePiece model; download it again");
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = bytes[at++];
      if (byte === void 0) throw cut();
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return Number(BigInt.asIntN(32, value));
    }
    throw cut();
  };
  while (at < bytes.byteLength) {
    const key = varint();
    const wire = key & 7;
    let value = 0;
    let length = 0;
    if (wire === WIRE_VARINT) value = varint();
    else if (wire === WIRE_BYTES) length = varint();
    else if (wire === WIRE_64) length = 8;
    else if (wire === WIRE_32) length = 4;
    else throw cut();
    if (length < 0 || at + length > bytes.byteLength || key >>> 3 === 0) throw cut();
    yield { number: key >>> 3, value, bytes: bytes.subarray(at, at + length) };
    at += length;
  }
}

// src/tokenizer/settings.ts
var CONFIG_FILE = "tokenizer_config.json";
var CONFIG_LIMIT = 1e7;
var MAX_TOKEN_ID = 2 ** 24;
var SPECIAL_TOKEN_KEYS = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];
async function readSettings(files) {
  const bytes = await readTokenizerFile(files, CONFIG_FILE, CONFIG_LIMIT);
  const config = bytes === null ? {} : parseJsonObject(CONFIG_FILE, bytes);
  const addedTokens = addedTokensDecoder(config["added_tokens_decoder"]);
  const special = /* @__PURE__ */ new Set();
  for (const key of SPECIAL_TOKEN_KEYS) {
    const token = tokenText(config, key);
    if (token !== null) special.add(token);
  }
  for (const token of extraSpecialTokens(config)) special.add(token);
  for (const token of addedTokens) if (token.special) special.add(token.content);
  return {
    addBos: flag(config, "add_bos_token"),
    addEos: flag(config, "add_eos_token"),
    bosToken: tokenText(config, "bos_token"),
    eosToken: tokenText(config, "eos_token"),
    specialTokens: [...special],
    addedTokens,
    legacy: flag(config, "legacy") ?? true
  };
}
function flag(config, key) {
  const value = config[key] ?? null;
  if (value !== null && typeof value !== "boolean") throw invalid(CONFIG_FILE, `${key} is ${quote(value)}; it must be true or false`);
  return value;
}
function tokenText(config, key) {
  const value = config[key] ?? null;
  const text = isObject(value) ? value["content"] : value;
  if (text === null) return null;
  if (typeof text !== "string" || text === "") {
    throw invalid(CONFIG_FILE, `${key} is ${quote(value)}; it must be the token's text, or an object with the text as "content"`);
  }
  return text;
}
function extraSpecialTokens(config) {
  const tokens = [];
  for (const key of ["additional_special_tokens", "extra_special_tokens"]) {
    const value = config[key];
    const entries = Array.isArray(value) ? value : isObject(value) ? Object.values(value) : [];
    for (const entry of entries) {
      const text = isObject(entry) ? entry["content"] : entry;
      if (typeof text === "string" && text !== "") tokens.push(text);
    }
  }
  return tokens;
}
function addedTokensDecoder(value) {
  if (value === void 0 || value === null) return [];
  if (!isObject(value)) throw invalid(CONFIG_FILE, `added_tokens_decoder is ${quote(value)}; it must be an object from token id to token`);
  return Object.entries(value).map(([key, entry]) => {
    const id = Number(key);
    if (!/^\d{1,8}$/.test(key) || id >= MAX_TOKEN_ID || !isObject(entry) || typeof entry["content"] !== "string" || entry["content"] === "") {
      throw invalid(
        CONFIG_FILE,
        `added_tokens_decoder has ${quote({ [key]: entry })}; each entry must map a token id to an object with its "content"`
      );
    }
    return { id, content: entry["content"], special: entry["special"] === true };
  });
}

// src/tokenizer/sentencepiece.ts
var NO_DUMMY_PREFIX = Uint8Array.of(26, 2, 24, 0);
async function openSentencePiece(file, bytes, settings) {
  refuseTiktoken(file, bytes);
  const model = readSentencePieceModel(file, bytes);
  const vocabulary2 = readVocabulary(model, settings);
  const prefix = settings.addBos ?? true ? specialIds(vocabulary2.ids, settings.bosToken, model.bosId, "bos_token") : [];
  const suffix = settings.addEos ?? false ? specialIds(vocabulary2.ids, settings.eosToken, model.eosId, "eos_token") : [];
  const processor = await load(file, bytes);
  const following = settings.legacy ? processor : await load(file, Buffer.concat([bytes, NO_DUMMY_PREFIX]));
  return {
    vocabularySize: vocabulary2.size,
    encode: (text) => [
      ...prefix,
      ...splitAtSpecial(text, vocabulary2.special).flatMap(
        (part) => typeof part === "number" ? [part] : (part.first ? processor : following).encodeIds(part.text)
      ),
      ...suffix
    ],
    decode: (ids) => decodeRuns(processor, ids, model.pieces.length, vocabulary2)
  };
}
function readVocabulary(model, settings) {
  const ids = new Map(model.pieces.map((piece, id) => [piece, id]));
  const special = /* @__PURE__ */ new Map();
  const hidden = new Set(model.special);
  const shown = /* @__PURE__ */ new Map();
  let size = model.pieces.length;
  for (const token of settings.addedTokens) {
    ids.set(token.content, token.id);
    special.set(token.content, token.id);
    if (token.special) hidden.add(token.id);
    else shown.set(token.id, token.content);
    size = Math.max(size, token.id + 1);
  }
  const own = [settings.bosToken === null ? model.bosId : null, settings.eosToken === null ? model.eosId : null];
  const named3 = [...settings.specialTokens, ...own.flatMap((id) => id === null ? [] : [model.pieces[id] ?? ""])];
  for (const token of named3) {
    const id = ids.get(token);
    if (id === void 0) continue;
    special.set(token, id);
    hidden.add(id);
  }
  return { size, ids, special, hidden, shown };
}
function specialIds(ids, token, fallback, key) {
  const id = token === null ? fallback : ids.get(token);
  if (id === void 0) throw invalid(CONFIG_FILE, `${key} is ${quote(token)}, which the vocabulary does not have`);
  return id === null ? [] : [id];
}
function splitAtSpecial(text, special) {
  const parts = [];
  const tokens = [...special.keys()].sort((a, b) => b.length - a.length).map((token) => token.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&"));
  const pattern = new RegExp(tokens.length === 0 ? "(?!)" : tokens.join("|"), "g");
  let from = 0;
  for (const match of text.matchAll(pattern)) {
    if (match.index > from) parts.push({ text: text.slice(from, match.index), first: parts.length === 0 });
    parts.push(special.get(match[0]) ?? NaN);
    from = match.index + match[0].length;
  }
  if (from < text.length) parts.push({ text: text.slice(from), first: parts.length === 0 });
  return parts;
}
function decodeRuns(processor, ids, pieces, vocabulary2) {
  let text = "";
  let run = [];
  const flush = () => {
    if (run.length > 0) text += processor.decodeIds(run);
    run = [];
  };
  for (const id of ids) {
    if (vocabulary2.hidden.has(id)) continue;
    const added = vocabulary2.shown.get(id);
    if (added !== void 0) {
      flush();
      text += added;
    } else if (Number.isInteger(id) && id >= 0 && id < pieces) run.push(id);
  }
  flush();
  return text;
}
function refuseTiktoken(file, bytes) {
  const head2 = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, 64)).toString("latin1");
  if (/^[A-Za-z0-9+/]+={0,2} \d+\n/.test(head2)) {
    throw invalid(file, "this is a tiktoken vocabulary, not a SentencePiece model; add the tokenizer.json of the same model");
  }
}
async function load(file, bytes) {
  const exitCode = process.exitCode;
  try {
    const { SentencePieceProcessor: Processor } = await import("./sentencepiece-js-IGFXAX5U.js");
    const processor = new Processor();
    await processor.load(devNull);
    const wasm = processor.sentencepiece;
    wasm.FS.writeFile("tokenizer.model", bytes);
    const path = new wasm.StringView("tokenizer.model");
    const view = path.getView();
    processor.processor.delete();
    processor.processor = new wasm.SentencePieceProcessor();
    const status = processor.processor.Load(view);
    const result = status.ToString();
    for (const handle of [status, view, path]) handle.delete();
    wasm.FS.unlink("tokenizer.model");
    if (result !== "OK") throw new Error(result);
    return processor;
  } catch (thrown) {
    throw invalid(file, `SentencePiece cannot load it (${causeOf(thrown)}); download it again`);
  } finally {
    process.exitCode = exitCode;
  }
}

// node_modules/@huggingface/tokenizers/dist/tokenizers.mjs
var DictionarySplitter = class {
  /**
   * @param dictionary The dictionary of words to use for splitting.
   */
  constructor(dictionary) {
    this.trie = this._build_trie(dictionary);
  }
  /**
   * Builds a trie from the given dictionary.
   * @param dictionary The dictionary of words to build the trie from.
   * @returns The root node of the trie.
   * @private
   */
  _build_trie(dictionary) {
    const trie = /* @__PURE__ */ Object.create(null);
    for (const word of dictionary) {
      let node = trie;
      for (let i = 0; i < word.length; ++i) {
        const char = word[i];
        node = node[char] ??= /* @__PURE__ */ Object.create(null);
      }
      node.end = word;
    }
    return trie;
  }
  /**
   * Splits the input text into tokens based on the dictionary.
   * @param text The input text to split.
   * @returns An array of tokens.
   */
  split(text) {
    const result = [];
    const n = text.length;
    let start = 0;
    let i = 0;
    while (i < n) {
      let node = this.trie;
      let match = null;
      let j = i;
      while (j < n && (node = node[text[j]])) {
        if (node.end) {
          match = node.end;
        }
        ++j;
      }
      if (match) {
        if (i > start) {
          result.push(text.slice(start, i));
        }
        result.push(match);
        i += match.length;
        start = i;
      } else {
        ++i;
      }
    }
    if (start < n) {
      result.push(text.slice(start));
    }
    return result;
  }
};
var DictionarySplitter_default = DictionarySplitter;
var AddedToken = class {
  /**
   * Creates a new instance of AddedToken.
   * @param config Added token configuration object.
   */
  constructor(config) {
    this.content = config.content;
    this.id = config.id;
    this.single_word = config.single_word ?? false;
    this.lstrip = config.lstrip ?? false;
    this.rstrip = config.rstrip ?? false;
    this.special = config.special ?? false;
    this.normalized = config.normalized ?? !this.special;
  }
};
var AddedToken_default = AddedToken;
var compile_unicode_regexp = (source, flags) => {
  try {
    return new RegExp(source, flags);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    const property_names = /* @__PURE__ */ new Map();
    const rewritten = source.replace(
      /(\\[pP])\{([^}=]+)\}/g,
      (text, p, n, offset) => {
        let preceding_backslashes = 0;
        for (let i = offset - 1; i >= 0 && source[i] === "\\"; --i) {
          ++preceding_backslashes;
        }
        if (preceding_backslashes % 2 === 1) return text;
        let property_name = property_names.get(n);
        if (property_name === void 0) {
          try {
            new RegExp(`\\p{${n}}`, "u");
            property_name = n;
          } catch {
            property_name = `Script=${n}`;
          }
          property_names.set(n, property_name);
        }
        return `${p}{${property_name}}`;
      }
    );
    if (rewritten === source) throw error;
    try {
      return new RegExp(rewritten, flags);
    } catch {
      throw error;
    }
  }
};
var clean_up_tokenization = (text) => text.replace(/ \./g, ".").replace(/ \?/g, "?").replace(/ \!/g, "!").replace(/ ,/g, ",").replace(/ \' /g, "'").replace(/ n't/g, "n't").replace(/ 'm/g, "'m").replace(/ 's/g, "'s").replace(/ 've/g, "'ve").replace(/ 're/g, "'re");
var create_pattern = (pattern, invert = true) => {
  if (pattern.Regex !== void 0) {
    const regex = rewrite_oniguruma_to_js(
      normalize_bloom_split_char_class(pattern.Regex)
    );
    return compile_unicode_regexp(regex, "gu");
  } else if (pattern.String !== void 0) {
    const escaped = escape_reg_exp(pattern.String);
    return new RegExp(invert ? escaped : `(${escaped})`, "gu");
  } else {
    console.warn("Unknown pattern type:", pattern);
    return null;
  }
};
var UNICODE_WORD_CHARS_IN_CLASS = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}";
var UNICODE_WORD_CHARS = `${UNICODE_WORD_CHARS_IN_CLASS}\\u00B2\\u00B3\\u00B9\\u00BC-\\u00BE`;
var UNICODE_WORD_CLASS = `[${UNICODE_WORD_CHARS}]`;
var UNICODE_NON_WORD_CLASS = `[^${UNICODE_WORD_CHARS}]`;
var UNICODE_WORD_BOUNDARY = `(?:(?<!${UNICODE_WORD_CLASS})(?=${UNICODE_WORD_CLASS})|(?<=${UNICODE_WORD_CLASS})(?!${UNICODE_WORD_CLASS}))`;
var UNICODE_NON_WORD_BOUNDARY = `(?:(?<!${UNICODE_WORD_CLASS})(?!${UNICODE_WORD_CLASS})|(?<=${UNICODE_WORD_CLASS})(?=${UNICODE_WORD_CLASS}))`;
var LINE_START_ANCHOR = "(?:(?<![\\s\\S])|(?<=\\n))";
var LINE_END_ANCHOR = "(?:(?=\\n)|(?![\\s\\S]))";
var HEX_DIGIT_CHARS = "0-9A-Fa-f";
var ESCAPE_REWRITES = /* @__PURE__ */ new Map([
  ["A", "(?<![\\s\\S])"],
  ["z", "(?![\\s\\S])"],
  ["Z", "(?=\\n?(?![\\s\\S]))"],
  // \Z permits a single optional final \n (not \r\n)
  ["h", `[${HEX_DIGIT_CHARS}]`],
  ["H", `[^${HEX_DIGIT_CHARS}]`],
  ["w", UNICODE_WORD_CLASS],
  ["W", UNICODE_NON_WORD_CLASS],
  ["d", "\\p{Nd}"],
  ["D", "\\P{Nd}"],
  ["s", "\\p{White_Space}"],
  // JS \s wrongly adds U+FEFF and misses \x85
  ["S", "\\P{White_Space}"],
  ["b", UNICODE_WORD_BOUNDARY],
  ["B", UNICODE_NON_WORD_BOUNDARY],
  ["a", "\\x07"],
  ["e", "\\x1B"]
]);
var CLASS_ESCAPE_REWRITES = /* @__PURE__ */ new Map([
  ["h", HEX_DIGIT_CHARS],
  ["w", UNICODE_WORD_CHARS_IN_CLASS],
  ["d", "\\p{Nd}"],
  ["D", "\\P{Nd}"],
  ["s", "\\p{White_Space}"],
  ["S", "\\P{White_Space}"],
  ["a", "\\x07"],
  ["e", "\\x1B"]
]);
var CLASS_COMPLEMENT_ALTERNATIVES = /* @__PURE__ */ new Map([
  ["W", `[^${UNICODE_WORD_CHARS_IN_CLASS}]`],
  ["H", `[^${HEX_DIGIT_CHARS}]`]
]);
var RAW_WHITESPACE_ESCAPES = /* @__PURE__ */ new Map([
  ["\n", "\\n"],
  ["\r", "\\r"],
  ["	", "\\t"],
  ["\f", "\\f"],
  ["\v", "\\v"]
]);
var POSIX_CLASS_FRAGMENTS = /* @__PURE__ */ new Map([
  ["alpha", "\\p{Alphabetic}"],
  ["alnum", "\\p{Alphabetic}\\p{Nd}"],
  ["digit", "\\p{Nd}"],
  ["lower", "\\p{Lowercase}"],
  ["upper", "\\p{Uppercase}"],
  ["space", "\\p{White_Space}"],
  ["blank", "\\t\\p{Zs}"],
  ["punct", "\\p{P}\\p{S}"],
  ["cntrl", "\\p{Cc}"],
  ["word", UNICODE_WORD_CHARS_IN_CLASS],
  ["xdigit", HEX_DIGIT_CHARS]
]);
var JS_SYNTAX_CHARS = "^$\\.*+?()[]{}|/";
var GROUP_PREFIX_RE = /^\(\?(?:<[=!]|<[A-Za-z_][A-Za-z0-9_]*>|[:=!>])/;
var BRACED_ESCAPE_RE = /^\\([pPxu])\{([^}]*)\}/;
var QUANTIFIER_BRACE_RE = /^\{(\d+(?:,\d*)?|,\d+)\}/;
var POSIX_BRACKET_RE = new RegExp("^\\[:(\\^?)(\\p{Alphabetic}+):\\]", "u");
var EMPTY_NEGATED_POSIX_BRACKET_RE = /^\[:\^:\]/;
var UNSUPPORTED_POSIX_BRACKET_RE = /^\[(?:\.[^\]]*\.\]|=[^\]]*=\])/;
var FIXED_WIDTH_ESCAPE_RE = /^(?:\\x[0-9A-Fa-f]{2}|\\u[0-9A-Fa-f]{4}|\\c[A-Za-z])/;
var is_ascii_letter = (char) => char >= "A" && char <= "Z" || char >= "a" && char <= "z";
var character_at = (text, index) => String.fromCodePoint(text.codePointAt(index));
var get_ascii_folded_hex_atom = (hex) => {
  if (!/^[0-9A-Fa-f]{1,8}$/.test(hex)) return null;
  const code_point = Number.parseInt(hex, 16);
  if (code_point > 127) return null;
  const letter = String.fromCharCode(code_point);
  return is_ascii_letter(letter) ? `[${letter.toLowerCase()}${letter.toUpperCase()}]` : null;
};
var normalize_bloom_split_char_class = (regex) => regex.replace(/\[\^\(\\s\|\[([^\]]+)\]\)\]/g, "[^()|\\s$1]");
var ANY_CODE_POINT = "[\\s\\S]";
var MAX_CHARACTER_CLASS_NESTING_DEPTH = 256;
var create_character_class_operand = () => ({
  fragment: "",
  alternatives: [],
  tail: null,
  contains_complex_set: false
});
var throw_character_class_range_error = (index) => {
  throw new SyntaxError(
    `Unsupported range with a set-valued character-class operand at index ${index}`
  );
};
var add_character_class_atom = (operand, atom, index, contains_complex_set = true) => {
  if (operand.tail === "range") throw_character_class_range_error(index);
  operand.alternatives.push(atom);
  operand.tail = "set";
  operand.contains_complex_set = operand.contains_complex_set || contains_complex_set;
};
var append_character_class_fragment = (operand, fragment, set_valued = false, index = -1) => {
  if (set_valued && operand.tail === "range") {
    throw_character_class_range_error(index);
  }
  if (operand.tail === "range") {
    operand.fragment += fragment;
    operand.tail = "complete_range";
    return;
  }
  operand.fragment += fragment;
  operand.tail = set_valued ? "set" : "scalar";
  operand.contains_complex_set = operand.contains_complex_set || set_valued;
};
var rewrite_character_class_escape = (regex, index, operand) => {
  const braced = BRACED_ESCAPE_RE.exec(regex.slice(index));
  if (braced) {
    const [text, kind, body] = braced;
    if (kind === "P" && body === "Word") {
      add_character_class_atom(
        operand,
        `[^${UNICODE_WORD_CHARS_IN_CLASS}]`,
        index
      );
    } else {
      const replacement2 = kind === "x" ? `\\u{${body}}` : kind === "p" && body === "Word" ? UNICODE_WORD_CHARS_IN_CLASS : text;
      append_character_class_fragment(
        operand,
        replacement2,
        kind === "p" || kind === "P",
        index
      );
    }
    return index + text.length;
  }
  const fixed_width = FIXED_WIDTH_ESCAPE_RE.exec(regex.slice(index));
  if (fixed_width) {
    append_character_class_fragment(operand, fixed_width[0]);
    return index + fixed_width[0].length;
  }
  if (index + 1 >= regex.length) {
    throw new SyntaxError(
      `Unterminated escape in character class at index ${index}`
    );
  }
  const next = character_at(regex, index + 1);
  const next_end = index + 1 + next.length;
  const raw_whitespace = RAW_WHITESPACE_ESCAPES.get(next);
  if (raw_whitespace !== void 0) {
    append_character_class_fragment(operand, raw_whitespace);
    return next_end;
  }
  const complement = CLASS_COMPLEMENT_ALTERNATIVES.get(next);
  if (complement !== void 0) {
    add_character_class_atom(operand, complement, index);
    return next_end;
  }
  const rewrite = CLASS_ESCAPE_REWRITES.get(next);
  let replacement;
  let set_valued = false;
  if (rewrite !== void 0) {
    replacement = rewrite;
    set_valued = next !== "a" && next !== "e";
  } else if (/[A-Za-z0-9]/.test(next)) {
    replacement = `\\${next}`;
  } else if (JS_SYNTAX_CHARS.includes(next) || next === "-") {
    replacement = `\\${next}`;
  } else {
    replacement = next;
  }
  append_character_class_fragment(operand, replacement, set_valued, index);
  return next_end;
};
var compile_character_set_union = (pieces) => {
  if (pieces.length === 1) return pieces[0];
  return `(?:(?=(?:${pieces.join("|")}))${ANY_CODE_POINT})`;
};
var compile_character_class_operand = (operand) => {
  const pieces = operand.fragment.length === 0 ? operand.alternatives : [`[${operand.fragment}]`, ...operand.alternatives];
  return compile_character_set_union(pieces);
};
var get_ascii_fold_additions = (positive_atom) => {
  const membership = compile_unicode_regexp(`^(?:${positive_atom})$`, "u");
  let additions = "";
  for (let offset = 0; offset < 26; ++offset) {
    const upper = String.fromCharCode(65 + offset);
    const lower = String.fromCharCode(97 + offset);
    const has_upper = membership.test(upper);
    const has_lower = membership.test(lower);
    if (has_upper !== has_lower) additions += has_upper ? lower : upper;
  }
  return additions;
};
var parse_character_class = (regex, start, ascii_fold, apply_ascii_fold = true, nesting_depth = 1) => {
  if (nesting_depth > MAX_CHARACTER_CLASS_NESTING_DEPTH) {
    throw new SyntaxError(
      `Maximum character-class nesting depth of ${MAX_CHARACTER_CLASS_NESTING_DEPTH} exceeded at index ${start}`
    );
  }
  let i = start + 1;
  const negated = regex[i] === "^";
  if (negated) ++i;
  const first_content_index = i;
  const operands = [create_character_class_operand()];
  let operand = operands[0];
  let contains_nested_negated_complex_set = false;
  while (i < regex.length) {
    const char = character_at(regex, i);
    if (char === "\\") {
      i = rewrite_character_class_escape(regex, i, operand);
      continue;
    }
    if (char === "]") {
      if (i === first_content_index) {
        append_character_class_fragment(operand, "\\]");
        ++i;
        continue;
      }
      if (operand.tail === null) {
        if (operands.length > 1) {
          throw new SyntaxError(
            `Malformed character-class intersection with an empty operand at index ${i}`
          );
        }
        throw new SyntaxError(`Empty character class at index ${start}`);
      }
      const contains_complex_set = operands.some(
        (candidate) => candidate.contains_complex_set
      );
      if (negated && operands.length > 1 && contains_nested_negated_complex_set) {
        throw new SyntaxError(
          `Unsupported outer-negated character-class intersection with a nested negated class containing a Unicode property, POSIX class, or shorthand at index ${start}`
        );
      }
      const first_atom = compile_character_class_operand(operands[0]);
      let positive_atom = first_atom;
      if (operands.length > 1) {
        let lookaheads = "";
        for (let j = 1; j < operands.length; ++j) {
          lookaheads += `(?=${compile_character_class_operand(operands[j])})`;
        }
        positive_atom = `(?:${lookaheads}${first_atom})`;
      }
      const is_direct_class = operands.length === 1 && operand.alternatives.length === 0;
      let direct_fragment = operand.fragment;
      if (ascii_fold && apply_ascii_fold) {
        const additions = get_ascii_fold_additions(positive_atom);
        if (additions.length > 0) {
          if (is_direct_class) {
            direct_fragment += additions;
            positive_atom = `[${direct_fragment}]`;
          } else {
            positive_atom = compile_character_set_union([
              positive_atom,
              `[${additions}]`
            ]);
          }
        }
      }
      const atom = negated ? is_direct_class ? `[^${direct_fragment}]` : `(?:(?!${positive_atom})${ANY_CODE_POINT})` : positive_atom;
      return {
        atom,
        end: i + 1,
        negated,
        contains_complex_set,
        contains_nested_negated_complex_set
      };
    }
    if (regex.startsWith("&&", i)) {
      if (operand.tail === null) {
        throw new SyntaxError(
          `Malformed character-class intersection with an empty operand at index ${i}`
        );
      }
      operand = create_character_class_operand();
      operands.push(operand);
      i += 2;
      continue;
    }
    if (char === "[") {
      const suffix = regex.slice(i);
      if (EMPTY_NEGATED_POSIX_BRACKET_RE.test(suffix)) {
        throw new SyntaxError(
          `Malformed empty negated POSIX character class at index ${i}`
        );
      }
      const posix = POSIX_BRACKET_RE.exec(suffix);
      if (posix) {
        const [, posix_negated, name] = posix;
        const fragment = POSIX_CLASS_FRAGMENTS.get(name);
        if (fragment === void 0) {
          throw new SyntaxError(
            `Unsupported POSIX character class "${name}" at index ${i}`
          );
        }
        if (ascii_fold && posix_negated && (name === "lower" || name === "upper")) {
          throw new SyntaxError(
            `Unsupported negated POSIX ${name} class inside an inline case-insensitive group`
          );
        }
        if (posix_negated) {
          add_character_class_atom(operand, `[^${fragment}]`, i);
        } else {
          append_character_class_fragment(operand, fragment, true, i);
        }
        i += posix[0].length;
        continue;
      }
      if (UNSUPPORTED_POSIX_BRACKET_RE.test(suffix)) {
        throw new SyntaxError(
          `Unsupported POSIX collating or equivalence bracket expression at index ${i}`
        );
      }
      const nested = parse_character_class(
        regex,
        i,
        ascii_fold,
        false,
        nesting_depth + 1
      );
      add_character_class_atom(
        operand,
        nested.atom,
        i,
        nested.contains_complex_set
      );
      contains_nested_negated_complex_set ||= nested.contains_nested_negated_complex_set || nested.negated && nested.contains_complex_set;
      i = nested.end;
      continue;
    }
    if (char === "-") {
      const is_terminal_literal = regex[i + 1] === "]" || regex.startsWith("&&", i + 1);
      if (operand.tail === "set" && !is_terminal_literal) {
        throw_character_class_range_error(i);
      }
      if (operand.tail === null || operand.tail === "range" || operand.tail === "complete_range" || is_terminal_literal) {
        append_character_class_fragment(operand, "\\-");
      } else {
        operand.fragment += "-";
        operand.tail = "range";
      }
      ++i;
      continue;
    }
    append_character_class_fragment(
      operand,
      char === "^" && operand.fragment.length === 0 ? "\\^" : char
    );
    i += char.length;
  }
  throw new SyntaxError(
    `${operands.length > 1 ? "Unterminated character-class intersection" : "Unterminated character class"} at index ${start}`
  );
};
var rewrite_oniguruma_to_js = (regex) => {
  let out = "";
  let atom_start = -1;
  let last_was_quantifier = false;
  let ascii_fold = false;
  const group_states = [];
  const emit_atom = (text) => {
    atom_start = out.length;
    out += text;
    last_was_quantifier = false;
  };
  for (let i = 0; i < regex.length; ) {
    const char = character_at(regex, i);
    if (char === "\\") {
      const braced = BRACED_ESCAPE_RE.exec(regex.slice(i));
      if (braced) {
        const [text, kind, body] = braced;
        let replacement2 = text;
        if (kind === "x") {
          const code_point_escape = `\\u{${body}}`;
          replacement2 = ascii_fold ? get_ascii_folded_hex_atom(body) ?? code_point_escape : code_point_escape;
        } else if (body === "Word") {
          replacement2 = kind === "p" ? UNICODE_WORD_CLASS : UNICODE_NON_WORD_CLASS;
        }
        emit_atom(replacement2);
        i += text.length;
        continue;
      }
      const fixed_width = FIXED_WIDTH_ESCAPE_RE.exec(regex.slice(i));
      if (fixed_width) {
        const text = fixed_width[0];
        const replacement2 = ascii_fold && text[1] !== "c" ? get_ascii_folded_hex_atom(text.slice(2)) ?? text : text;
        emit_atom(replacement2);
        i += text.length;
        continue;
      }
      if (i + 1 >= regex.length) {
        out += char;
        break;
      }
      const next = character_at(regex, i + 1);
      i += 1 + next.length;
      if (next === "G") {
        continue;
      }
      const raw_whitespace = RAW_WHITESPACE_ESCAPES.get(next);
      if (raw_whitespace !== void 0) {
        emit_atom(raw_whitespace);
        continue;
      }
      const rewrite = ESCAPE_REWRITES.get(next);
      let replacement;
      if (rewrite !== void 0) {
        replacement = rewrite;
      } else if (/[A-Za-z0-9]/.test(next)) {
        replacement = `\\${next}`;
      } else if (JS_SYNTAX_CHARS.includes(next)) {
        replacement = `\\${next}`;
      } else {
        replacement = next;
      }
      emit_atom(replacement);
      continue;
    }
    switch (char) {
      case "[": {
        const parsed = parse_character_class(regex, i, ascii_fold);
        emit_atom(parsed.atom);
        i = parsed.end;
        continue;
      }
      case "]":
        emit_atom("\\]");
        ++i;
        continue;
      case ".":
        emit_atom("[^\\n]");
        ++i;
        continue;
      case "^":
        emit_atom(LINE_START_ANCHOR);
        ++i;
        continue;
      case "$":
        emit_atom(LINE_END_ANCHOR);
        ++i;
        continue;
      case "(": {
        const inline_case_insensitive = regex.startsWith("(?i:", i);
        const source_prefix = inline_case_insensitive ? "(?i:" : GROUP_PREFIX_RE.exec(regex.slice(i))?.[0] ?? "(";
        const output_prefix = inline_case_insensitive ? "(?:" : source_prefix === "(?>" ? "(?:" : source_prefix;
        group_states.push([out.length, ascii_fold]);
        if (inline_case_insensitive) ascii_fold = true;
        out += output_prefix;
        last_was_quantifier = false;
        i += source_prefix.length;
        continue;
      }
      case ")":
        out += char;
        [atom_start, ascii_fold] = group_states.pop() ?? [-1, false];
        last_was_quantifier = false;
        ++i;
        continue;
      case "|":
        out += char;
        atom_start = -1;
        last_was_quantifier = false;
        ++i;
        continue;
      case "{": {
        const quant = QUANTIFIER_BRACE_RE.exec(regex.slice(i));
        if (!quant || atom_start < 0) {
          emit_atom("\\{");
          ++i;
          continue;
        }
        const body = quant[1].startsWith(",") ? `0${quant[1]}` : quant[1];
        i += quant[0].length;
        const following = regex[i];
        if (following === "+" || following === "*") {
          out = `${out.slice(0, atom_start)}(?:${out.slice(atom_start)}{${body}})${following}`;
          ++i;
        } else {
          out += `{${body}}`;
        }
        last_was_quantifier = true;
        continue;
      }
      case "}":
        emit_atom("\\}");
        ++i;
        continue;
      case "+":
        if (last_was_quantifier) {
          ++i;
          continue;
        }
        out += char;
        last_was_quantifier = true;
        ++i;
        continue;
      case "*":
      case "?":
        out += char;
        last_was_quantifier = true;
        ++i;
        continue;
      default:
        emit_atom(
          ascii_fold && is_ascii_letter(char) ? `[${char.toLowerCase()}${char.toUpperCase()}]` : char
        );
        i += char.length;
        continue;
    }
  }
  return out;
};
var escape_reg_exp = (string) => string.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
var fuse_unk = (arr, tokens_to_ids, unk_token_id) => {
  const fused = [];
  let i = 0;
  while (i < arr.length) {
    fused.push(arr[i]);
    const token_id = tokens_to_ids.get(arr[i]) ?? unk_token_id;
    if (token_id !== unk_token_id) {
      ++i;
      continue;
    }
    while (++i < arr.length && (tokens_to_ids.get(arr[i]) ?? unk_token_id) === unk_token_id) {
      if (tokens_to_ids.get(fused.at(-1)) !== unk_token_id) {
        fused[fused.length - 1] += arr[i];
      }
    }
  }
  return fused;
};
var is_chinese_char = (cp) => cp >= 19968 && cp <= 40959 || cp >= 13312 && cp <= 19903 || cp >= 131072 && cp <= 173791 || cp >= 173824 && cp <= 177983 || cp >= 177984 && cp <= 178207 || cp >= 178208 && cp <= 183983 || cp >= 63744 && cp <= 64255 || cp >= 194560 && cp <= 195103;
var is_integral_number = (x) => Number.isInteger(x) || typeof x === "bigint";
var len = (s) => {
  let length = 0;
  for (const c of s) ++length;
  return length;
};
var lowercase_and_remove_accents = (text) => remove_accents(text.toLowerCase());
var merge_arrays = (...arrs) => Array.prototype.concat.apply([], arrs);
var object_to_map = (obj) => new Map(Object.entries(obj));
var regex_split = (text, regex) => {
  const result = [];
  let prev = 0;
  for (const match of text.matchAll(regex)) {
    const full_match = match[0];
    if (prev < match.index) {
      result.push(text.slice(prev, match.index));
    }
    if (full_match.length > 0) {
      result.push(full_match);
    }
    prev = match.index + full_match.length;
  }
  if (prev < text.length) {
    result.push(text.slice(prev));
  }
  return result;
};
var remove_accents = (text) => text.replace(new RegExp("\\p{M}", "gu"), "");
var validate_object = (obj, name, required_keys = []) => {
  if (!obj || Array.isArray(obj) || typeof obj !== "object") {
    return `${name} must be a valid object`;
  }
  for (const key of required_keys) {
    if (!(key in obj)) {
      return `${name} must contain a "${key}" property`;
    }
  }
  return null;
};
var whitespace_split = (text) => text.match(/\S+/g) || [];
var Callable = class {
  /**
   * Creates a new instance of the Callable class.
   */
  constructor() {
    const closure = function(...args) {
      return closure._call(...args);
    };
    return Object.setPrototypeOf(closure, new.target.prototype);
  }
};
var Callable_default = Callable;
var Normalizer = class extends Callable_default {
  /**
   * @param config The configuration object for the normalizer.
   */
  constructor(config) {
    super();
    this.config = config;
  }
  /**
   * Alias for {@link Normalizer#normalize}.
   * @param text The text to normalize.
   * @returns The normalized text.
   */
  _call(text) {
    return this.normalize(text);
  }
};
var Normalizer_default = Normalizer;
var BertNormalizer = class extends Normalizer_default {
  /**
   * Adds whitespace around any CJK (Chinese, Japanese, or Korean) character in the input text.
   *
   * @param text The input text to tokenize.
   * @returns The tokenized text with whitespace added around CJK characters.
   */
  tokenize_chinese_chars(text) {
    const output = [];
    for (let i = 0; i < text.length; ++i) {
      const char = text[i];
      const cp = char.charCodeAt(0);
      if (is_chinese_char(cp)) {
        output.push(" ");
        output.push(char);
        output.push(" ");
      } else {
        output.push(char);
      }
    }
    return output.join("");
  }
  /**
   * Strips accents from the given text.
   * @param text The text to strip accents from.
   * @returns The text with accents removed.
   */
  strip_accents(text) {
    return text.normalize("NFD").replace(new RegExp("\\p{Mn}", "gu"), "");
  }
  /**
   * Checks whether `char` is a control character.
   * @param char The character to check.
   * @returns Whether `char` is a control character.
   */
  is_control(char) {
    switch (char) {
      case "	":
      case "\n":
      case "\r":
        return false;
      default:
        return new RegExp("^\\p{Cc}|\\p{Cf}|\\p{Co}|\\p{Cs}$", "u").test(char);
    }
  }
  /**
   * Performs invalid character removal and whitespace cleanup on text.
   * @param text The text to clean.
   * @returns The cleaned text.
   */
  clean_text(text) {
    const output = [];
    for (const char of text) {
      const cp = char.charCodeAt(0);
      if (cp === 0 || cp === 65533 || this.is_control(char)) {
        continue;
      }
      if (/^\s$/.test(char)) {
        output.push(" ");
      } else {
        output.push(char);
      }
    }
    return output.join("");
  }
  /**
   * Normalizes the given text based on the configuration.
   * @param text The text to normalize.
   * @returns The normalized text.
   */
  normalize(text) {
    if (this.config.clean_text) {
      text = this.clean_text(text);
    }
    if (this.config.handle_chinese_chars) {
      text = this.tokenize_chinese_chars(text);
    }
    if (this.config.lowercase) {
      text = text.toLowerCase();
      if (this.config.strip_accents !== false) {
        text = this.strip_accents(text);
      }
    } else if (this.config.strip_accents) {
      text = this.strip_accents(text);
    }
    return text;
  }
};
var BertNormalizer_default = BertNormalizer;
var Precompiled = class extends Normalizer_default {
  /**
   * Create a new instance of Precompiled normalizer.
   * @param config The configuration object.
   */
  constructor(config) {
    super(config);
    this.charsmap = config.precompiled_charsmap ?? null;
  }
  /**
   * Normalizes the given text by applying the precompiled charsmap.
   * @param text The text to normalize.
   * @returns The normalized text.
   */
  normalize(text) {
    text = text.replace(
      /[\u0001-\u0008\u000B\u000E-\u001F\u007F\u008F\u009F]/gm,
      ""
    );
    text = text.replace(
      /[\u0009\u000A\u000C\u000D\u00A0\u1680\u2000-\u200F\u2028\u2029\u202F\u205F\u2581\u3000\uFEFF\uFFFD]/gm,
      " "
    );
    if (text.includes("～")) {
      const parts = text.split("～");
      text = parts.map((part) => part.normalize("NFKC")).join("～");
    } else {
      text = text.normalize("NFKC");
    }
    return text;
  }
};
var Precompiled_default = Precompiled;
var Sequence = class extends Normalizer_default {
  /**
   * Create a new instance of NormalizerSequence.
   * @param config The configuration object.
   */
  constructor(config) {
    super(config);
    this.normalizers = (config.normalizers ?? []).map(
      (x) => create_normalizer_default(x)
    );
  }
  /**
   * Apply a sequence of Normalizers to the input text.
   * @param text The text to normalize.
   * @returns The normalized text.
   */
  normalize(text) {
    return this.normalizers.reduce((t, normalizer) => {
      return normalizer ? normalizer.normalize(t) : t;
    }, text);
  }
};
var Sequence_default = Sequence;
var Replace = class extends Normalizer_default {
  /**
   * @param config The configuration object for the normalizer.
   */
  constructor(config) {
    super(config);
    this.pattern = create_pattern(this.config.pattern ?? {});
  }
  /**
   * Normalize the input text by replacing the pattern with the content.
   * @param text The input text to be normalized.
   * @returns The normalized text after replacing the pattern with the content.
   */
  normalize(text) {
    return this.pattern === null ? text : text.replaceAll(this.pattern, this.config.content ?? "");
  }
};
var Replace_default = Replace;
var UnicodeNormalizer = class extends Normalizer_default {
  constructor() {
    super(...arguments);
    this.form = "NFC";
  }
  /**
   * Normalize the input text by applying Unicode normalization.
   * @param text The input text to be normalized.
   * @returns The normalized text.
   */
  normalize(text) {
    text = text.normalize(this.form);
    return text;
  }
};
var UnicodeNormalizer_default = UnicodeNormalizer;
var NFC = class extends UnicodeNormalizer_default {
  constructor() {
    super(...arguments);
    this.form = "NFC";
  }
};
var NFC_default = NFC;
var NFD = class extends UnicodeNormalizer_default {
  constructor() {
    super(...arguments);
    this.form = "NFD";
  }
};
var NFD_default = NFD;
var NFKC = class extends UnicodeNormalizer_default {
  constructor() {
    super(...arguments);
    this.form = "NFKC";
  }
};
var NFKC_default = NFKC;
var NFKD = class extends UnicodeNormalizer_default {
  constructor() {
    super(...arguments);
    this.form = "NFKD";
  }
};
var NFKD_default = NFKD;
var Strip = class extends Normalizer_default {
  /**
   * Strip leading and/or trailing whitespace from the input text.
   * @param text The input text.
   * @returns The normalized text.
   */
  normalize(text) {
    if (this.config.strip_left && this.config.strip_right) {
      text = text.trim();
    } else {
      if (this.config.strip_left) {
        text = text.trimStart();
      }
      if (this.config.strip_right) {
        text = text.trimEnd();
      }
    }
    return text;
  }
};
var Strip_default = Strip;
var StripAccents = class extends Normalizer_default {
  /**
   * Remove all accents from the text.
   * @param text The input text.
   * @returns The normalized text without accents.
   */
  normalize(text) {
    return remove_accents(text);
  }
};
var StripAccents_default = StripAccents;
var Lowercase = class extends Normalizer_default {
  /**
   * Lowercases the input string.
   * @param {string} text The text to normalize.
   * @returns {string} The normalized text.
   */
  normalize(text) {
    return text.toLowerCase();
  }
};
var Lowercase_default = Lowercase;
var Prepend = class extends Normalizer_default {
  /**
   * Prepends the input string.
   * @param text The text to normalize.
   * @returns The normalized text.
   */
  normalize(text) {
    text = this.config.prepend + text;
    return text;
  }
};
var Prepend_default = Prepend;
function create_normalizer(config) {
  if (config === null) return null;
  switch (config.type) {
    case "BertNormalizer":
      return new BertNormalizer_default(config);
    case "Precompiled":
      return new Precompiled_default(config);
    case "Sequence":
      return new Sequence_default(config);
    case "Replace":
      return new Replace_default(config);
    case "NFC":
      return new NFC_default(config);
    case "NFD":
      return new NFD_default(config);
    case "NFKC":
      return new NFKC_default(config);
    case "NFKD":
      return new NFKD_default(config);
    case "Strip":
      return new Strip_default(config);
    case "StripAccents":
      return new StripAccents_default(config);
    case "Lowercase":
      return new Lowercase_default(config);
    case "Prepend":
      return new Prepend_default(config);
    default:
      throw new Error(`Unknown Normalizer type: ${config.type}`);
  }
}
var create_normalizer_default = create_normalizer;
var PreTokenizer = class extends Callable_default {
  /**
   * Tokenizes the given text into pre-tokens.
   * @param text The text or array of texts to pre-tokenize.
   * @param options Additional options for the pre-tokenization logic.
   * @returns An array of pre-tokens.
   */
  pre_tokenize(text, options) {
    return (Array.isArray(text) ? text.map((x) => this.pre_tokenize_text(x, options)) : this.pre_tokenize_text(text, options)).flat();
  }
  /**
   * Alias for {@link PreTokenizer#pre_tokenize}.
   * @param text The text or array of texts to pre-tokenize.
   * @param options Additional options for the pre-tokenization logic.
   * @returns An array of pre-tokens.
   */
  _call(text, options) {
    return this.pre_tokenize(text, options);
  }
};
var PreTokenizer_default = PreTokenizer;
var BYTES_TO_UNICODE = (() => {
  const bs = [
    ...Array.from(
      { length: "~".charCodeAt(0) - "!".charCodeAt(0) + 1 },
      (_, i) => i + "!".charCodeAt(0)
    ),
    ...Array.from(
      { length: "¬".charCodeAt(0) - "¡".charCodeAt(0) + 1 },
      (_, i) => i + "¡".charCodeAt(0)
    ),
    ...Array.from(
      { length: "ÿ".charCodeAt(0) - "®".charCodeAt(0) + 1 },
      (_, i) => i + "®".charCodeAt(0)
    )
  ];
  const cs = bs.slice();
  let n = 0;
  for (let b = 0; b < 256; ++b) {
    if (!bs.includes(b)) {
      bs.push(b);
      cs.push(256 + n);
      n += 1;
    }
  }
  const ccs = cs.map((n2) => String.fromCharCode(n2));
  return Object.fromEntries(bs.map((b, i) => [b, ccs[i]]));
})();
var reverse_dictionary = (data) => Object.fromEntries(Object.entries(data).map(([key, value]) => [value, key]));
var UNICODE_TO_BYTES = reverse_dictionary(BYTES_TO_UNICODE);
var PUNCTUATION_REGEX = "\\p{P}\\u0021-\\u002F\\u003A-\\u0040\\u005B-\\u0060\\u007B-\\u007E";
var ByteLevel = class extends PreTokenizer_default {
  /**
   * Creates a new instance of the `ByteLevelPreTokenizer` class.
   * @param config The configuration object.
   */
  constructor(config) {
    super();
    this.config = config;
    this.add_prefix_space = this.config.add_prefix_space ?? false;
    this.trim_offsets = this.config.trim_offsets ?? false;
    this.use_regex = this.config.use_regex ?? true;
    this.pattern = new RegExp("'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+", "gu");
    this.byte_encoder = BYTES_TO_UNICODE;
    this.text_encoder = new TextEncoder();
  }
  /**
   * Tokenizes a single piece of text using byte-level tokenization.
   * @param text The text to tokenize.
   * @param options Additional options for the pre-tokenization logic.
   * @returns An array of tokens.
   */
  pre_tokenize_text(text, options) {
    if (this.add_prefix_space && !text.startsWith(" ")) {
      text = " " + text;
    }
    const tokens = this.use_regex ? text.match(this.pattern) || [] : [text];
    return tokens.map(
      (token) => Array.from(
        this.text_encoder.encode(token),
        (byte) => this.byte_encoder[byte]
      ).join("")
    );
  }
};
var ByteLevel_default = ByteLevel;
var Whitespace = class extends PreTokenizer_default {
  /**
   * Pre-tokenizes the input text by splitting it on word boundaries.
   * @param text The text to be pre-tokenized.
   * @param options Additional options for the pre-tokenization logic.
   * @returns An array of tokens produced by splitting the input text on whitespace.
   */
  pre_tokenize_text(text, options) {
    return text.match(/\w+|[^\w\s]+/g) || [];
  }
};
var Whitespace_default = Whitespace;
var Metaspace = class extends PreTokenizer_default {
  /**
   * @param config The configuration object for the MetaspacePreTokenizer.
   */
  constructor(config) {
    super();
    this.replacement = config.replacement ?? "▁";
    this.str_rep = config.str_rep || this.replacement;
    this.prepend_scheme = config.prepend_scheme ?? "always";
  }
  /**
   * This method takes a string, replaces spaces with the replacement character,
   * adds a prefix space if requested, and returns a new list of tokens.
   * @param text The text to pre-tokenize.
   * @param options The options for the pre-tokenization.
   * @returns A new list of pre-tokenized tokens.
   */
  pre_tokenize_text(text, options) {
    const { section_index = void 0 } = options ?? {};
    let normalized = text.replaceAll(" ", this.str_rep);
    if (
      // We add a prefix space if:
      //  (1) The normalized token does not already start with the replacement character.
      !normalized.startsWith(this.replacement) && // and (2) either:
      //  (a) prepend_scheme is 'always'
      //  (b) prepend_scheme is 'first' and this is the first section
      (this.prepend_scheme === "always" || this.prepend_scheme === "first" && section_index === 0)
    ) {
      normalized = this.str_rep + normalized;
    }
    return [normalized];
  }
};
var Metaspace_default = Metaspace;
var Split = class extends PreTokenizer_default {
  /**
   * @param config The configuration options for the pre-tokenizer.
   */
  constructor(config) {
    super();
    this.config = config;
    this.pattern = create_pattern(
      this.config.pattern ?? {},
      this.config.invert ?? true
    );
  }
  /**
   * Tokenizes text by splitting it using the given pattern.
   * @param text The text to tokenize.
   * @returns An array of tokens.
   */
  pre_tokenize_text(text) {
    if (this.pattern === null) {
      return [];
    }
    if (this.config.invert) {
      return (text.match(this.pattern) || []).filter((x) => x);
    } else if (this.config.behavior?.toLowerCase() === "removed") {
      return text.split(this.pattern).filter((x) => x);
    } else {
      return regex_split(text, this.pattern);
    }
  }
};
var Split_default = Split;
var Punctuation = class extends PreTokenizer_default {
  /**
   * @param config The configuration options for the pre-tokenizer.
   */
  constructor(config) {
    super();
    this.config = config;
    this.pattern = new RegExp(
      `[^${PUNCTUATION_REGEX}]+|[${PUNCTUATION_REGEX}]+`,
      "gu"
    );
  }
  /**
   * Tokenizes text by splitting it using the given pattern.
   * @param text The text to tokenize.
   * @returns An array of tokens.
   */
  pre_tokenize_text(text) {
    return text.match(this.pattern) || [];
  }
};
var Punctuation_default = Punctuation;
var Digits = class extends PreTokenizer_default {
  /**
   * @param config The configuration options for the pre-tokenizer.
   */
  constructor(config) {
    super();
    this.config = config;
    const digit_pattern = `[^\\d]+|\\d${this.config.individual_digits ? "" : "+"}`;
    this.pattern = new RegExp(digit_pattern, "gu");
  }
  /**
   * Tokenizes text by splitting it using the given pattern.
   * @param text The text to tokenize.
   * @returns An array of tokens.
   */
  pre_tokenize_text(text) {
    return text.match(this.pattern) || [];
  }
};
var Digits_default = Digits;
var BertPreTokenizer = class extends PreTokenizer_default {
  /**
   * A PreTokenizer that splits text into wordpieces using a basic tokenization scheme
   * similar to that used in the original implementation of BERT.
   */
  constructor() {
    super();
    this.pattern = new RegExp(
      `[^\\s${PUNCTUATION_REGEX}]+|[${PUNCTUATION_REGEX}]`,
      "gu"
    );
  }
  /**
   * Tokenizes a single text using the BERT pre-tokenization scheme.
   *
   * @param text The text to tokenize.
   * @param options Additional options for the pre-tokenization logic.
   * @returns An array of tokens.
   */
  pre_tokenize_text(text, options) {
    return text.trim().match(this.pattern) || [];
  }
};
var BertPreTokenizer_default = BertPreTokenizer;
var Replace2 = class extends PreTokenizer_default {
  /**
   * @param config The configuration options for the pre-tokenizer.
   */
  constructor(config) {
    super();
    this.config = config;
    this.pattern = create_pattern(this.config.pattern ?? {});
    this.content = this.config.content ?? "";
  }
  /**
   * Pre-tokenizes the input text by replacing certain characters.
   * @param text The text to be pre-tokenized.
   * @returns An array of tokens produced by replacing certain characters.
   */
  pre_tokenize_text(text) {
    if (this.pattern === null) {
      return [text];
    }
    return [text.replaceAll(this.pattern, this.config.content ?? "")];
  }
};
var Replace_default2 = Replace2;
var Sequence2 = class extends PreTokenizer_default {
  /**
   * Creates an instance of PreTokenizerSequence.
   * @param config The configuration object for the pre-tokenizer sequence.
   */
  constructor(config) {
    super();
    this.tokenizers = (config.pretokenizers ?? []).map(
      (x) => create_pre_tokenizer_default(x)
    );
  }
  /**
   * Applies each pre-tokenizer in the sequence to the input text in turn.
   * @param text The text to pre-tokenize.
   * @param options Additional options for the pre-tokenization logic.
   * @returns The pre-tokenized text.
   */
  pre_tokenize_text(text, options) {
    return this.tokenizers.reduce(
      (pre_tokenized_text, tokenizer) => {
        return tokenizer ? tokenizer.pre_tokenize(pre_tokenized_text, options) : pre_tokenized_text;
      },
      [text]
    );
  }
};
var Sequence_default2 = Sequence2;
var WhitespaceSplit = class extends PreTokenizer_default {
  /**
   * Pre-tokenizes the input text by splitting it on whitespace characters.
   * @param text The text to be pre-tokenized.
   * @returns An array of tokens produced by splitting the input text on whitespace.
   */
  pre_tokenize_text(text) {
    return whitespace_split(text);
  }
};
var WhitespaceSplit_default = WhitespaceSplit;
var FixedLength = class extends PreTokenizer_default {
  /**
   * @param config The configuration options for the pre-tokenizer.
   */
  constructor(config) {
    super();
    this.config = config;
    this._length = config.length;
  }
  /**
   * Pre-tokenizes the input text by splitting it into fixed-length tokens.
   * @param text The text to be pre-tokenized.
   * @returns An array of tokens produced by splitting the input text into fixed-length tokens.
   */
  pre_tokenize_text(text) {
    const tokens = [];
    for (let i = 0; i < text.length; i += this._length) {
      tokens.push(text.slice(i, i + this._length));
    }
    return tokens;
  }
};
var FixedLength_default = FixedLength;
function create_pre_tokenizer(config) {
  if (config === null) return null;
  switch (config.type) {
    case "BertPreTokenizer":
      return new BertPreTokenizer_default();
    case "Sequence":
      return new Sequence_default2(config);
    case "Whitespace":
      return new Whitespace_default();
    case "WhitespaceSplit":
      return new WhitespaceSplit_default();
    case "Metaspace":
      return new Metaspace_default(config);
    case "ByteLevel":
      return new ByteLevel_default(config);
    case "Split":
      return new Split_default(config);
    case "Punctuation":
      return new Punctuation_default(config);
    case "Digits":
      return new Digits_default(config);
    case "Replace":
      return new Replace_default2(config);
    case "FixedLength":
      return new FixedLength_default(config);
    default:
      throw new Error(`Unknown PreTokenizer type: ${config.type}`);
  }
}
var create_pre_tokenizer_default = create_pre_tokenizer;
var TokenizerModel = class extends Callable_default {
  /**
   * Creates a new instance of TokenizerModel.
   * @param config The configuration object for the TokenizerModel.
   */
  constructor(config) {
    super();
    this.config = config;
    this.vocab = [];
    this.tokens_to_ids = /* @__PURE__ */ new Map();
    this.unk_token_id = void 0;
    this.unk_token = void 0;
    this.end_of_word_suffix = void 0;
    this.fuse_unk = this.config.fuse_unk ?? false;
  }
  /**
   * Internal function to call the TokenizerModel instance.
   * @param tokens The tokens to encode.
   * @returns The encoded tokens.
   */
  _call(tokens) {
    let result = this.encode(tokens);
    if (this.fuse_unk) {
      result = fuse_unk(result, this.tokens_to_ids, this.unk_token_id);
    }
    return result;
  }
};
var TokenizerModel_default = TokenizerModel;
var WordPieceTokenizer = class extends TokenizerModel_default {
  /**
   * @param config The configuration object.
   */
  constructor(config) {
    super(config);
    this.max_input_chars_per_word = 100;
    this.tokens_to_ids = object_to_map(config.vocab);
    this.unk_token_id = this.tokens_to_ids.get(config.unk_token);
    this.unk_token = config.unk_token;
    this.max_input_chars_per_word = config.max_input_chars_per_word ?? 100;
    this.vocab = new Array(this.tokens_to_ids.size);
    for (const [key, value] of this.tokens_to_ids) {
      this.vocab[value] = key;
    }
  }
  /**
   * Encodes an array of tokens using WordPiece encoding.
   * @param tokens The tokens to encode.
   * @returns An array of encoded tokens.
   */
  encode(tokens) {
    const output_tokens = [];
    for (const token of tokens) {
      const chars = [...token];
      if (chars.length > this.max_input_chars_per_word) {
        output_tokens.push(this.unk_token);
        continue;
      }
      let is_unknown = false;
      let start = 0;
      const sub_tokens = [];
      while (start < chars.length) {
        let end = chars.length;
        let current_substring = null;
        while (start < end) {
          let substr = chars.slice(start, end).join("");
          if (start > 0) {
            substr = this.config.continuing_subword_prefix + substr;
          }
          if (this.tokens_to_ids.has(substr)) {
            current_substring = substr;
            break;
          }
          --end;
        }
        if (current_substring === null) {
          is_unknown = true;
          break;
        }
        sub_tokens.push(current_substring);
        start = end;
      }
      if (is_unknown) {
        output_tokens.push(this.unk_token);
      } else {
        output_tokens.push(...sub_tokens);
      }
    }
    return output_tokens;
  }
};
var WordPiece_default = WordPieceTokenizer;
var CharTrieNode = class _CharTrieNode {
  /**
   * Create a new CharTrieNode.
   * @param is_leaf Whether the node is a leaf node or not.
   * @param children A map containing the node's children, where the key is a character and the value is a `CharTrieNode`.
   */
  constructor(is_leaf, children) {
    this.is_leaf = is_leaf;
    this.children = children;
  }
  /**
   * Returns a new `CharTrieNode` instance with default values.
   * @returns A new `CharTrieNode` instance with `is_leaf` set to `false` and an empty `children` map.
   */
  static default() {
    return new _CharTrieNode(false, /* @__PURE__ */ new Map());
  }
};
var CharTrie = class {
  constructor() {
    this.root = CharTrieNode.default();
  }
  /**
   * Adds one or more `texts` to the trie.
   * @param texts The strings to add to the trie.
   */
  extend(texts) {
    for (const text of texts) {
      this.push(text);
    }
  }
  /**
   * Adds text to the trie.
   * @param text The string to add to the trie.
   */
  push(text) {
    let node = this.root;
    for (const ch of text) {
      let child = node.children.get(ch);
      if (child === void 0) {
        child = CharTrieNode.default();
        node.children.set(ch, child);
      }
      node = child;
    }
    node.is_leaf = true;
  }
  /**
   * Searches the trie for stored strings that match `chars` starting at `start`.
   * @param chars The input characters to search.
   * @param start The index to start searching from.
   * @yields Each stored string that is a prefix of `chars` starting at `start`.
   */
  *common_prefix_search(chars, start = 0) {
    let node = this.root;
    if (node === void 0) return;
    let prefix = "";
    for (let i = start; i < chars.length; ++i) {
      const ch = chars[i];
      prefix += ch;
      node = node.children.get(ch);
      if (node === void 0) return;
      if (node.is_leaf) {
        yield prefix;
      }
    }
  }
};
var CharTrie_default = CharTrie;
var TokenLatticeNode = class _TokenLatticeNode {
  /**
   * Represents a node in a token lattice for a given sentence.
   * @param token_id The ID of the token associated with this node.
   * @param node_id The ID of this node.
   * @param pos The starting position of the token in the sentence.
   * @param length The length of the token.
   * @param score The score associated with the token.
   */
  constructor(token_id, node_id, pos, length, score) {
    this.token_id = token_id;
    this.node_id = node_id;
    this.pos = pos;
    this.length = length;
    this.score = score;
    this.prev = null;
    this.backtrace_score = 0;
  }
  /**
   * Returns a clone of this node.
   * @returns A clone of this node.
   */
  clone() {
    const n = new _TokenLatticeNode(
      this.token_id,
      this.node_id,
      this.pos,
      this.length,
      this.score
    );
    n.prev = this.prev;
    n.backtrace_score = this.backtrace_score;
    return n;
  }
};
var TokenLattice = class {
  /**
   * Creates a new TokenLattice instance.
   *
   * @param sentence The input sentence to be tokenized.
   * @param bos_token_id The beginning-of-sequence token ID.
   * @param eos_token_id The end-of-sequence token ID.
   */
  constructor(sentence, bos_token_id, eos_token_id) {
    this.chars = Array.from(sentence);
    this.len = this.chars.length;
    this.bos_token_id = bos_token_id;
    this.eos_token_id = eos_token_id;
    this.nodes = [];
    this.begin_nodes = Array.from(
      { length: this.len + 1 },
      () => []
    );
    this.end_nodes = Array.from({ length: this.len + 1 }, () => []);
    const bos = new TokenLatticeNode(this.bos_token_id ?? 0, 0, 0, 0, 0);
    const eos = new TokenLatticeNode(
      this.eos_token_id ?? 0,
      1,
      this.len,
      0,
      0
    );
    this.nodes.push(bos.clone());
    this.nodes.push(eos.clone());
    this.begin_nodes[this.len].push(eos);
    this.end_nodes[0].push(bos);
  }
  /**
   * Inserts a new token node into the token lattice.
   *
   * @param pos The starting position of the token.
   * @param length The length of the token.
   * @param score The score of the token.
   * @param token_id The token ID of the token.
   */
  insert(pos, length, score, token_id) {
    const node_id = this.nodes.length;
    const node = new TokenLatticeNode(token_id, node_id, pos, length, score);
    this.begin_nodes[pos].push(node);
    this.end_nodes[pos + length].push(node);
    this.nodes.push(node);
  }
  /**
   * Implements the Viterbi algorithm to compute the most likely sequence of tokens.
   *
   * @returns The most likely sequence of tokens.
   */
  viterbi() {
    const len2 = this.len;
    let pos = 0;
    while (pos <= len2) {
      if (this.begin_nodes[pos].length == 0) {
        return [];
      }
      for (let rnode of this.begin_nodes[pos]) {
        rnode.prev = null;
        let best_score = 0;
        let best_node = null;
        for (let lnode of this.end_nodes[pos]) {
          const score = lnode.backtrace_score + rnode.score;
          if (best_node === null || score > best_score) {
            best_node = lnode.clone();
            best_score = score;
          }
        }
        if (best_node !== null) {
          rnode.prev = best_node;
          rnode.backtrace_score = best_score;
        } else {
          return [];
        }
      }
      ++pos;
    }
    const results = [];
    const root = this.begin_nodes[len2][0];
    const prev = root.prev;
    if (prev === null) {
      return [];
    }
    let node = prev.clone();
    while (node.prev !== null) {
      results.push(node.clone());
      const n = node.clone();
      node = n.prev.clone();
    }
    results.reverse();
    return results;
  }
  /**
   * Get the text piece for a given node.
   * @param node The node to get the piece for.
   * @returns The array of nodes representing the most likely sequence of tokens.
   */
  piece(node) {
    return this.chars.slice(node.pos, node.pos + node.length).join("");
  }
  /**
   * @returns The most likely sequence of tokens.
   */
  tokens() {
    const nodes = this.viterbi();
    return nodes.map((x) => this.piece(x));
  }
  /**
   * @returns The most likely sequence of token ids.
   */
  token_ids() {
    const nodes = this.viterbi();
    return nodes.map((x) => x.token_id);
  }
};
var TokenLattice_default = TokenLattice;
function min(arr) {
  if (arr.length === 0) throw new Error("Array must not be empty");
  let min_value = arr[0];
  let index_of_min = 0;
  for (let i = 1; i < arr.length; ++i) {
    if (arr[i] < min_value) {
      min_value = arr[i];
      index_of_min = i;
    }
  }
  return [min_value, index_of_min];
}
var Unigram = class extends TokenizerModel_default {
  /**
   * Create a new Unigram tokenizer model.
   * @param config The configuration object for the Unigram model.
   * @param eos_token
   */
  constructor(config, eos_token) {
    super(config);
    const vocab_size = config.vocab.length;
    this.vocab = new Array(vocab_size);
    this.scores = new Array(vocab_size);
    for (let i = 0; i < vocab_size; ++i) {
      [this.vocab[i], this.scores[i]] = config.vocab[i];
    }
    this.unk_token_id = config.unk_id;
    this.unk_token = this.vocab[config.unk_id];
    this.tokens_to_ids = new Map(this.vocab.map((x, i) => [x, i]));
    this.bos_token = " ";
    this.bos_token_id = this.tokens_to_ids.get(this.bos_token);
    this.eos_token = eos_token;
    this.eos_token_id = this.tokens_to_ids.get(this.eos_token);
    this.unk_token = this.vocab[this.unk_token_id];
    this.min_score = min(this.scores)[0];
    this.unk_score = this.min_score - 10;
    this.scores[this.unk_token_id] = this.unk_score;
    this.trie = new CharTrie_default();
    this.trie.extend(this.vocab);
    this.fuse_unk = true;
  }
  /**
   * Populates lattice nodes.
   * @param lattice The token lattice to populate with nodes.
   */
  populate_nodes(lattice) {
    const chars = lattice.chars;
    const mblen = 1;
    let begin_pos = 0;
    while (begin_pos < chars.length) {
      let has_single_node = false;
      const prefixed_tokens = this.trie.common_prefix_search(chars, begin_pos);
      for (const token of prefixed_tokens) {
        const token_id = this.tokens_to_ids.get(token);
        const token_score = this.scores[token_id];
        const n = len(token);
        lattice.insert(begin_pos, n, token_score, token_id);
        if (!has_single_node && n === mblen) {
          has_single_node = true;
        }
      }
      if (!has_single_node) {
        lattice.insert(begin_pos, mblen, this.unk_score, this.unk_token_id);
      }
      begin_pos += mblen;
    }
  }
  /**
   * Encodes an array of tokens into an array of subtokens using the unigram model.
   *
   * @param normalized The normalized string.
   * @returns An array of subtokens obtained by encoding the input tokens using the unigram model.
   */
  tokenize(normalized) {
    const lattice = new TokenLattice_default(
      normalized,
      this.bos_token_id,
      this.eos_token_id
    );
    this.populate_nodes(lattice);
    return lattice.tokens();
  }
  /**
   * Encodes an array of tokens using Unigram encoding.
   * @param tokens The tokens to encode.
   * @returns An array of encoded tokens.
   */
  encode(tokens) {
    const to_return = [];
    for (const token of tokens) {
      const tokenized = this.tokenize(token);
      to_return.push(...tokenized);
    }
    return to_return;
  }
};
var Unigram_default = Unigram;
var PriorityQueue = class {
  /**
   * Create a new PriorityQueue.
   * @param comparator Comparator function to determine priority. Defaults to a MaxHeap.
   * @param max_size Maximum size of the queue. Defaults to Infinity.
   */
  constructor(comparator = (a, b) => a > b, max_size = Infinity) {
    this._heap = [];
    this._comparator = comparator;
    this._max_size = max_size;
  }
  /**
   * The size of the queue
   */
  get size() {
    return this._heap.length;
  }
  /**
   * Check if the queue is empty.
   * @returns `true` if the queue is empty, `false` otherwise.
   */
  is_empty() {
    return this.size === 0;
  }
  /**
   * Return the element with the highest priority in the queue.
   * @returns The highest priority element in the queue.
   */
  peek() {
    return this._heap[0];
  }
  /**
   * Add one or more elements to the queue.
   * @param values The values to push into the queue.
   * @returns The new size of the queue.
   */
  push(...values) {
    return this.extend(values);
  }
  /**
   * Add multiple elements to the queue.
   * @param values The values to push into the queue.
   * @returns The new size of the queue.
   */
  extend(values) {
    for (const value of values) {
      if (this.size < this._max_size) {
        this._heap.push(value);
        this._sift_up();
      } else {
        const smallest = this._smallest();
        if (this._comparator(value, this._heap[smallest])) {
          this._heap[smallest] = value;
          this._sift_up_from(smallest);
        }
      }
    }
    return this.size;
  }
  /**
   * Remove and return the element with the highest priority in the queue.
   * @returns The element with the highest priority in the queue.
   */
  pop() {
    const popped_value = this.peek();
    const bottom = this.size - 1;
    if (bottom > 0) {
      this._swap(0, bottom);
    }
    this._heap.pop();
    this._sift_down();
    return popped_value;
  }
  /**
   * Replace the element with the highest priority in the queue with a new value.
   * @param value The new value.
   * @returns The replaced value.
   */
  replace(value) {
    const replaced_value = this.peek();
    this._heap[0] = value;
    this._sift_down();
    return replaced_value;
  }
  /**
   * Compute the index for the parent of the node at index `i`.
   * @param i The index of the node to get the parent of.
   * @returns The index of the parent node.
   * @private
   */
  _parent(i) {
    return (i + 1 >>> 1) - 1;
  }
  /**
   * Compute the index for the left child of the node at index `i`.
   * @param i The index of the node to get the left child of.
   * @returns The index of the left child.
   * @private
   */
  _left(i) {
    return (i << 1) + 1;
  }
  /**
   * Compute the index for the right child of the node at index `i`.
   * @param i The index of the node to get the right child of.
   * @returns The index of the right child.
   * @private
   */
  _right(i) {
    return i + 1 << 1;
  }
  /**
   * Check if the element at index `i` is greater than the element at index `j`.
   * @param i The index of the first element to compare.
   * @param j The index of the second element to compare.
   * @returns `true` if the element at index `i` is greater than the element at index `j`, `false` otherwise.
   * @private
   */
  _greater(i, j) {
    return this._comparator(this._heap[i], this._heap[j]);
  }
  /**
   * Swap the elements at indices `i` and `j`.
   * @param i The index of the first element to swap.
   * @param j The index of the second element to swap.
   * @private
   */
  _swap(i, j) {
    const temp = this._heap[i];
    this._heap[i] = this._heap[j];
    this._heap[j] = temp;
  }
  /**
   * Maintain the heap property by updating positions in the heap,
   * starting at the last element and moving up the heap.
   * @private
   */
  _sift_up() {
    this._sift_up_from(this.size - 1);
  }
  /**
   * Helper function to sift up from a given node.
   * @param node The index of the node to start sifting up from.
   */
  _sift_up_from(node) {
    while (node > 0 && this._greater(node, this._parent(node))) {
      this._swap(node, this._parent(node));
      node = this._parent(node);
    }
  }
  /**
   * Maintain the heap property by updating positions in the heap,
   * starting at the first element and moving down the heap.
   * @private
   */
  _sift_down() {
    let node = 0;
    while (this._left(node) < this.size && this._greater(this._left(node), node) || this._right(node) < this.size && this._greater(this._right(node), node)) {
      const max_child = this._right(node) < this.size && this._greater(this._right(node), this._left(node)) ? this._right(node) : this._left(node);
      this._swap(node, max_child);
      node = max_child;
    }
  }
  /**
   * Get the index of the smallest element in the heap. Since we use an array-based heap,
   * the index can be computed without needing to traverse the heap.
   * @private
   */
  _smallest() {
    return 2 ** Math.floor(Math.log2(this.size)) - 1;
  }
};
var PriorityQueue_default = PriorityQueue;
var LRUCache = class {
  /**
   * Creates an LRUCache instance.
   * @param capacity The maximum number of items the cache can hold.
   */
  constructor(capacity) {
    this.capacity = capacity;
    this.cache = /* @__PURE__ */ new Map();
  }
  /**
   * Retrieves the value associated with the given key and marks the key as recently used.
   * @param key The key to retrieve.
   * @returns The value associated with the key, or undefined if the key does not exist.
   */
  get(key) {
    if (!this.cache.has(key)) return void 0;
    const value = this.cache.get(key);
    this.cache.delete(key);
    this.cache.set(key, value);
    return value;
  }
  /**
   * Inserts or updates the key-value pair in the cache.
   * If the key already exists, it is updated and marked as recently used.
   * If the cache exceeds its capacity, the least recently used item is evicted.
   * @param key The key to add or update.
   * @param value The value to associate with the key.
   */
  put(key, value) {
    if (this.cache.has(key)) {
      this.cache.delete(key);
    }
    this.cache.set(key, value);
    if (this.cache.size > this.capacity) {
      this.cache.delete(this.cache.keys().next().value);
    }
  }
  /**
   * Clears the cache.
   */
  clear() {
    this.cache.clear();
  }
};
var LRUCache_default = LRUCache;
var BPE = class extends TokenizerModel_default {
  /**
   * Create a BPE instance.
   * @param config The configuration object for BPE.
   */
  constructor(config) {
    super(config);
    this.tokens_to_ids = object_to_map(config.vocab);
    this.unk_token_id = this.tokens_to_ids.get(config.unk_token);
    this.unk_token = config.unk_token;
    this.vocab = new Array(this.tokens_to_ids.size);
    for (const [key, value] of this.tokens_to_ids) {
      this.vocab[value] = key;
    }
    const use_new_merge_format = Array.isArray(config.merges[0]);
    this.merges = use_new_merge_format ? config.merges : config.merges.map(
      (x) => x.split(" ", 2)
    );
    this.bpe_ranks = new Map(this.merges.map((x, i) => [JSON.stringify(x), i]));
    this.end_of_word_suffix = config.end_of_word_suffix;
    this.continuing_subword_suffix = config.continuing_subword_suffix ?? null;
    this.byte_fallback = this.config.byte_fallback ?? false;
    if (this.byte_fallback) {
      this.text_encoder = new TextEncoder();
    }
    this.ignore_merges = this.config.ignore_merges ?? false;
    this.max_length_to_cache = 256;
    this.cache_capacity = 1e4;
    this.cache = new LRUCache_default(this.cache_capacity);
  }
  /**
   * Clears the cache.
   */
  clear_cache() {
    this.cache.clear();
  }
  /**
   * Apply Byte-Pair-Encoding (BPE) to a given token. Efficient heap-based priority
   * queue implementation adapted from https://github.com/belladoreai/llama-tokenizer-js.
   * @param token The token to encode.
   * @returns The BPE encoded tokens.
   */
  bpe(token) {
    if (token.length === 0) {
      return [];
    }
    const cached2 = this.cache.get(token);
    if (cached2 !== void 0) {
      return cached2;
    }
    const word = Array.from(token);
    if (this.end_of_word_suffix) {
      word[word.length - 1] += this.end_of_word_suffix;
    }
    let result = [];
    if (word.length > 1) {
      const queue = new PriorityQueue_default((a, b) => a.score < b.score);
      let starting_node = {
        token: word[0],
        bias: 0,
        prev: null,
        next: null
      };
      let previous_node = starting_node;
      for (let i = 1; i < word.length; ++i) {
        const current_node = {
          bias: i / word.length,
          // Add fractional component to break ties
          token: word[i],
          prev: previous_node,
          next: null
        };
        previous_node.next = current_node;
        this.add_node(queue, previous_node);
        previous_node = current_node;
      }
      while (!queue.is_empty()) {
        const node = queue.pop();
        if (node.deleted || !node.next || node.next.deleted) continue;
        node.deleted = true;
        node.next.deleted = true;
        if (node.prev) {
          const new_previous_node = { ...node.prev };
          node.prev.deleted = true;
          node.prev = new_previous_node;
          if (new_previous_node.prev) {
            new_previous_node.prev.next = new_previous_node;
          } else {
            starting_node = new_previous_node;
          }
        }
        const merged = {
          token: node.token + node.next.token,
          bias: node.bias,
          prev: node.prev,
          next: node.next.next
        };
        if (merged.prev) {
          merged.prev.next = merged;
          this.add_node(queue, merged.prev);
        } else {
          starting_node = merged;
        }
        if (merged.next) {
          merged.next.prev = merged;
          this.add_node(queue, merged);
        }
      }
      for (let current_node = starting_node; current_node !== null; current_node = current_node.next) {
        result.push(current_node.token);
      }
    } else {
      result = word;
    }
    if (this.continuing_subword_suffix) {
      for (let i = 0; i < result.length - 1; ++i) {
        result[i] += this.continuing_subword_suffix;
      }
    }
    if (token.length < this.max_length_to_cache) {
      this.cache.put(token, result);
    }
    return result;
  }
  /**
   * Helper function to add a node to the priority queue.
   * @param queue
   * @param node
   */
  add_node(queue, node) {
    const rank = this.bpe_ranks.get(
      JSON.stringify([node.token, node.next.token])
    );
    if (rank !== void 0) {
      node.score = rank + node.bias;
      queue.push(node);
    }
  }
  /**
   * Encodes the input sequence of tokens using the BPE algorithm and returns the resulting subword tokens.
   * @param tokens The input sequence of tokens to encode.
   * @returns The resulting subword tokens after applying the BPE algorithm to the input sequence of tokens.
   */
  encode(tokens) {
    const output_tokens = [];
    for (const token of tokens) {
      if (this.ignore_merges && this.tokens_to_ids.has(token)) {
        output_tokens.push(token);
        continue;
      }
      const bpe_token_list = this.bpe(token);
      for (const t of bpe_token_list) {
        if (this.tokens_to_ids.has(t)) {
          output_tokens.push(t);
        } else if (this.byte_fallback) {
          const byte_tokens = Array.from(this.text_encoder.encode(t)).map(
            (x) => `<0x${x.toString(16).toUpperCase().padStart(2, "0")}>`
          );
          if (byte_tokens.every((x) => this.tokens_to_ids.has(x))) {
            output_tokens.push(...byte_tokens);
          } else if (this.unk_token != null) {
            output_tokens.push(this.unk_token);
          }
        } else if (this.unk_token != null) {
          output_tokens.push(this.unk_token);
        }
      }
    }
    return output_tokens;
  }
};
var BPE_default = BPE;
var Legacy = class extends TokenizerModel_default {
  /**
   * Create a Legacy tokenizer model instance.
   * @param config The configuration object for Legacy tokenizer model.
   * @param more_config Additional configuration object for the Legacy tokenizer model.
   */
  constructor(config, more_config) {
    super(config);
    const vocab = config.vocab;
    this.tokens_to_ids = object_to_map(
      more_config.target_lang ? vocab[more_config.target_lang] : vocab
    );
    this.bos_token = more_config.bos_token;
    this.bos_token_id = this.tokens_to_ids.get(this.bos_token);
    this.eos_token = more_config.eos_token;
    this.eos_token_id = this.tokens_to_ids.get(this.eos_token);
    this.pad_token = more_config.pad_token;
    this.pad_token_id = this.tokens_to_ids.get(this.pad_token);
    this.unk_token = more_config.unk_token;
    this.unk_token_id = this.tokens_to_ids.get(this.unk_token);
    this.vocab = new Array(this.tokens_to_ids.size);
    for (const [key, value] of this.tokens_to_ids) {
      this.vocab[value] = key;
    }
  }
  encode(tokens) {
    return tokens;
  }
};
var Legacy_default = Legacy;
function create_tokenizer_model(model_config, config) {
  switch (model_config.type) {
    case "WordPiece":
      return new WordPiece_default(model_config);
    case "Unigram":
      return new Unigram_default(model_config, config.eos_token);
    case "BPE":
      return new BPE_default(model_config);
    default:
      if (model_config.vocab) {
        if (Array.isArray(model_config.vocab)) {
          return new Unigram_default(model_config, config.eos_token);
        } else if (Object.hasOwn(model_config, "continuing_subword_prefix") && Object.hasOwn(model_config, "unk_token")) {
          if (Object.hasOwn(model_config, "merges")) {
            return new BPE_default(model_config);
          } else {
            return new WordPiece_default(model_config);
          }
        } else {
          return new Legacy_default(model_config, {
            target_lang: config.target_lang,
            bos_token: config.bos_token,
            eos_token: config.eos_token,
            pad_token: config.pad_token,
            unk_token: config.unk_token
          });
        }
      }
      throw new Error(
        `Unknown TokenizerModel type: ${model_config?.type}`
      );
  }
}
var create_tokenizer_model_default = create_tokenizer_model;
var PostProcessor = class extends Callable_default {
  /**
   * @param config The configuration for the post-processor.
   */
  constructor(config) {
    super();
    this.config = config;
  }
  /**
   * Alias for {@link PostProcessor#post_process}.
   * @param tokens The text or array of texts to post-process.
   * @param args Additional arguments required by the post-processing logic.
   * @returns The post-processed tokens.
   */
  _call(tokens, ...args) {
    return this.post_process(tokens, ...args);
  }
};
var PostProcessor_default = PostProcessor;
var TemplateProcessing = class extends PostProcessor_default {
  /**
   * Replaces special tokens in the template with actual tokens.
   * @param tokens The list of tokens for the first sequence.
   * @param tokens_pair The list of tokens for the second sequence (optional).
   * @param add_special_tokens Whether to add the special tokens to the beginning and end of the input.
   * @returns An object containing the list of tokens with the special tokens replaced with actual tokens.
   */
  post_process(tokens, tokens_pair = null, add_special_tokens = true) {
    const type = tokens_pair === null ? this.config.single : this.config.pair;
    let processed_tokens = [];
    let types = [];
    for (const item of type) {
      if ("SpecialToken" in item) {
        if (add_special_tokens) {
          processed_tokens.push(item.SpecialToken.id);
          types.push(item.SpecialToken.type_id);
        }
      } else if ("Sequence" in item) {
        if (item.Sequence.id === "A") {
          processed_tokens = merge_arrays(processed_tokens, tokens);
          types = merge_arrays(
            types,
            new Array(tokens.length).fill(item.Sequence.type_id)
          );
        } else if (item.Sequence.id === "B") {
          processed_tokens = merge_arrays(processed_tokens, tokens_pair);
          types = merge_arrays(
            types,
            new Array(tokens_pair.length).fill(item.Sequence.type_id)
          );
        }
      }
    }
    return { tokens: processed_tokens, token_type_ids: types };
  }
};
var TemplateProcessing_default = TemplateProcessing;
var ByteLevel2 = class extends PostProcessor_default {
  /**
   * Post process the given tokens.
   * @param tokens The list of tokens for the first sequence.
   * @param tokens_pair The list of tokens for the second sequence (optional).
   * @returns An object containing the post-processed tokens.
   */
  post_process(tokens, tokens_pair = null) {
    return { tokens, tokens_pair };
  }
};
var ByteLevel_default2 = ByteLevel2;
var BertProcessing = class extends PostProcessor_default {
  /**
   * @param config The configuration for the post-processor.
   * @param config.cls The special tokens to add to the beginning of the input.
   * @param config.sep The special tokens to add to the end of the input.
   */
  constructor(config) {
    super(config);
    this.sep = config.sep;
    this.cls = config.cls;
  }
  /**
   * Adds the special tokens to the beginning and end of the input.
   * @param tokens The input tokens.
   * @param tokens_pair An optional second set of input tokens.
   * @param add_special_tokens Whether to add the special tokens to the beginning and end of the input.
   * @returns The post-processed tokens with the special tokens added to the beginning and end.
   */
  post_process(tokens, tokens_pair = null, add_special_tokens = true) {
    if (add_special_tokens) {
      tokens = merge_arrays([this.cls[0]], tokens, [this.sep[0]]);
    }
    let token_type_ids = new Array(tokens.length).fill(0);
    if (tokens_pair) {
      const middle = [];
      const after = add_special_tokens ? [this.sep[0]] : [];
      tokens = merge_arrays(tokens, middle, tokens_pair, after);
      token_type_ids = merge_arrays(
        token_type_ids,
        new Array(tokens_pair.length + middle.length + after.length).fill(1)
      );
    }
    return { tokens, token_type_ids };
  }
};
var BertProcessing_default = BertProcessing;
var RobertaProcessing = class extends PostProcessor_default {
  /**
   * @param config The configuration for the post-processor.
   * @param config.cls The special tokens to add to the beginning of the input.
   * @param config.sep The special tokens to add to the end of the input.
   */
  constructor(config) {
    super(config);
    this.sep = config.sep;
    this.cls = config.cls;
  }
  /**
   * Adds the special tokens to the beginning and end of the input.
   * @param tokens The input tokens.
   * @param tokens_pair An optional second set of input tokens.
   * @param add_special_tokens Whether to add the special tokens to the beginning and end of the input.
   * @returns The post-processed tokens with the special tokens added to the beginning and end.
   */
  post_process(tokens, tokens_pair, add_special_tokens = true) {
    if (add_special_tokens) {
      tokens = merge_arrays([this.cls[0]], tokens, [this.sep[0]]);
    }
    let token_type_ids = new Array(tokens.length).fill(0);
    if (tokens_pair) {
      const middle = add_special_tokens ? [this.sep[0]] : [];
      const after = add_special_tokens ? [this.sep[0]] : [];
      tokens = merge_arrays(tokens, middle, tokens_pair, after);
      token_type_ids = merge_arrays(
        token_type_ids,
        new Array(tokens_pair.length + middle.length + after.length).fill(1)
      );
    }
    return { tokens, token_type_ids };
  }
};
var RobertaProcessing_default = RobertaProcessing;
var Sequence3 = class extends PostProcessor_default {
  /**
   * Creates a new instance of Sequence post-processor.
   * @param config The configuration object.
   */
  constructor(config) {
    super(config);
    this.processors = (config.processors ?? []).map((x) => create_post_processor_default(x));
  }
  /**
   * Post process the given tokens.
   * @param tokens The list of tokens for the first sequence.
   * @param tokens_pair The list of tokens for the second sequence (optional).
   * @param add_special_tokens Whether to add the special tokens to the beginning and end of the input.
   * @returns An object containing the post-processed tokens.
   */
  post_process(tokens, tokens_pair = null, add_special_tokens = true) {
    let processed_tokens = { tokens, tokens_pair };
    for (const processor of this.processors) {
      processed_tokens = processor.post_process(
        processed_tokens.tokens,
        processed_tokens.tokens_pair,
        add_special_tokens
      );
    }
    return processed_tokens;
  }
};
var Sequence_default3 = Sequence3;
function create_post_processor(config) {
  if (config === null) return null;
  switch (config.type) {
    case "TemplateProcessing":
      return new TemplateProcessing_default(config);
    case "ByteLevel":
      return new ByteLevel_default2(config);
    case "BertProcessing":
      return new BertProcessing_default(config);
    case "RobertaProcessing":
      return new RobertaProcessing_default(config);
    case "Sequence":
      return new Sequence_default3(config);
    default:
      throw new Error(`Unknown PostProcessor type: ${config.type}`);
  }
}
var create_post_processor_default = create_post_processor;
var Decoder = class extends Callable_default {
  /**
   * Creates an instance of `Decoder`.
   * @param config The configuration object.
   **/
  constructor(config) {
    super();
    this.config = config;
    this.added_tokens = [];
    this.end_of_word_suffix = null;
    this.trim_offsets = "trim_offsets" in config ? config.trim_offsets : false;
  }
  /**
   * Calls the `decode` method.
   *
   * @param tokens The list of tokens.
   * @returns The decoded string.
   */
  _call(tokens) {
    return this.decode(tokens);
  }
  /**
   * Decodes a list of tokens.
   * @param tokens The list of tokens.
   * @returns The decoded string.
   */
  decode(tokens) {
    return this.decode_chain(tokens).join("");
  }
};
var Decoder_default = Decoder;
var ByteLevel3 = class extends Decoder_default {
  /**
   * Create a `ByteLevelDecoder` object.
   */
  constructor(config) {
    super(config);
    this.byte_decoder = UNICODE_TO_BYTES;
    this.text_decoder = new TextDecoder("utf-8", {
      fatal: false,
      // eslint-disable-next-line @typescript-eslint/naming-convention
      ignoreBOM: true
    });
    this.end_of_word_suffix = null;
  }
  /**
   * Convert an array of tokens to string by decoding each byte.
   * @param tokens Array of tokens to be decoded.
   * @returns The decoded string.
   */
  convert_tokens_to_string(tokens) {
    const text = tokens.join("");
    const byte_array = new Uint8Array(
      [...text].map((c) => this.byte_decoder[c])
    );
    return this.text_decoder.decode(byte_array);
  }
  decode_chain(tokens) {
    const sub_texts = [];
    let current_sub_text = [];
    for (const token of tokens) {
      if (this.added_tokens.find((x) => x.content === token) !== void 0) {
        if (current_sub_text.length > 0) {
          sub_texts.push(this.convert_tokens_to_string(current_sub_text));
          current_sub_text = [];
        }
        sub_texts.push(token);
      } else {
        current_sub_text.push(token);
      }
    }
    if (current_sub_text.length > 0) {
      sub_texts.push(this.convert_tokens_to_string(current_sub_text));
    }
    return sub_texts;
  }
};
var ByteLevel_default3 = ByteLevel3;
var WordPiece = class extends Decoder_default {
  /**
   * Creates a new instance of WordPieceDecoder.
   * @param config The configuration object.
   */
  constructor(config) {
    super(config);
    this.cleanup = config.cleanup;
  }
  decode_chain(tokens) {
    return tokens.map((token, i) => {
      if (i !== 0) {
        const prefix = this.config.prefix;
        if (prefix && token.startsWith(prefix)) {
          token = token.replace(prefix, "");
        } else {
          token = " " + token;
        }
      }
      if (this.cleanup) {
        token = clean_up_tokenization(token);
      }
      return token;
    });
  }
};
var WordPiece_default2 = WordPiece;
var Metaspace2 = class extends Decoder_default {
  /**
   * Constructs a new MetaspaceDecoder object.
   * @param config The configuration object for the MetaspaceDecoder.
   */
  constructor(config) {
    super(config);
    this.replacement = config.replacement ?? "▁";
  }
  decode_chain(tokens) {
    const result = [];
    for (let i = 0; i < tokens.length; ++i) {
      let normalized = tokens[i].replaceAll(this.replacement, " ");
      if (i == 0 && normalized.startsWith(" ")) {
        normalized = normalized.substring(1);
      }
      result.push(normalized);
    }
    return result;
  }
};
var Metaspace_default2 = Metaspace2;
var BPE2 = class extends Decoder_default {
  constructor(config) {
    super(config);
    this.suffix = config.suffix ?? "";
  }
  decode_chain(tokens) {
    return tokens.map((token, i) => {
      return token.replaceAll(this.suffix, i === tokens.length - 1 ? "" : " ");
    });
  }
};
var BPE_default2 = BPE2;
var CTC = class extends Decoder_default {
  constructor(config) {
    super(config);
    this.pad_token = config.pad_token ?? "";
    this.word_delimiter_token = config.word_delimiter_token ?? "";
    this.cleanup = config.cleanup;
  }
  /**
   * Converts a connectionist-temporal-classification (CTC) output tokens into a single string.
   * @param tokens Array of tokens to be decoded.
   * @returns The decoded string.
   */
  convert_tokens_to_string(tokens) {
    if (tokens.length === 0) return "";
    const grouped_tokens = [tokens[0]];
    for (let i = 1; i < tokens.length; ++i) {
      if (tokens[i] !== grouped_tokens.at(-1)) {
        grouped_tokens.push(tokens[i]);
      }
    }
    const filtered_tokens = grouped_tokens.filter(
      (token) => token !== this.pad_token
    );
    let text = filtered_tokens.join("");
    if (this.cleanup) {
      text = clean_up_tokenization(text).replaceAll(this.word_delimiter_token, " ").trim();
    }
    return text;
  }
  decode_chain(tokens) {
    return [this.convert_tokens_to_string(tokens)];
  }
};
var CTC_default = CTC;
var Sequence4 = class extends Decoder_default {
  /**
   * Creates a new instance of DecoderSequence.
   * @param config The configuration object.
   */
  constructor(config) {
    super(config);
    this.decoders = (config.decoders ?? []).map((x) => create_decoder_default(x));
  }
  decode_chain(tokens) {
    return this.decoders.reduce((toks, decoder) => {
      return decoder.decode_chain(toks);
    }, tokens);
  }
};
var Sequence_default4 = Sequence4;
var Replace3 = class extends Decoder_default {
  /**
   * @param config The configuration object for the decoder.
   */
  constructor(config) {
    super(config);
    this.pattern = create_pattern(this.config.pattern);
  }
  decode_chain(tokens) {
    const content = this.config.content ?? "";
    const pattern = this.pattern;
    return pattern === null ? tokens : tokens.map((token) => token.replaceAll(pattern, content));
  }
};
var Replace_default3 = Replace3;
var Fuse = class extends Decoder_default {
  decode_chain(tokens) {
    return [tokens.join("")];
  }
};
var Fuse_default = Fuse;
var Strip2 = class extends Decoder_default {
  constructor(config) {
    super(config);
    this.content = config.content ?? "";
    this.start = config.start ?? 0;
    this.stop = config.stop ?? 0;
  }
  decode_chain(tokens) {
    return tokens.map((token) => {
      let start_cut = 0;
      for (let i = 0; i < this.start; ++i) {
        if (token[i] === this.content) {
          start_cut = i + 1;
          continue;
        } else {
          break;
        }
      }
      let stop_cut = token.length;
      for (let i = 0; i < this.stop; ++i) {
        const index = token.length - i - 1;
        if (token[index] === this.content) {
          stop_cut = index;
          continue;
        } else {
          break;
        }
      }
      return token.slice(start_cut, stop_cut);
    });
  }
};
var Strip_default2 = Strip2;
var ByteFallback = class extends Decoder_default {
  constructor(config) {
    super(config);
    this.text_decoder = new TextDecoder();
  }
  decode_chain(tokens) {
    const new_tokens = [];
    let previous_byte_tokens = [];
    for (const token of tokens) {
      let bytes = null;
      if (token.length === 6 && token.startsWith("<0x") && token.endsWith(">")) {
        const byte = parseInt(token.slice(3, 5), 16);
        if (!isNaN(byte)) {
          bytes = byte;
        }
      }
      if (bytes !== null) {
        previous_byte_tokens.push(bytes);
      } else {
        if (previous_byte_tokens.length > 0) {
          const string = this.text_decoder.decode(
            Uint8Array.from(previous_byte_tokens)
          );
          new_tokens.push(string);
          previous_byte_tokens = [];
        }
        new_tokens.push(token);
      }
    }
    if (previous_byte_tokens.length > 0) {
      const string = this.text_decoder.decode(
        Uint8Array.from(previous_byte_tokens)
      );
      new_tokens.push(string);
      previous_byte_tokens = [];
    }
    return new_tokens;
  }
};
var ByteFallback_default = ByteFallback;
function create_decoder(config) {
  if (config === null) return null;
  switch (config.type) {
    case "ByteLevel":
      return new ByteLevel_default3(config);
    case "WordPiece":
      return new WordPiece_default2(config);
    case "Metaspace":
      return new Metaspace_default2(config);
    case "BPEDecoder":
      return new BPE_default2(config);
    case "CTC":
      return new CTC_default(config);
    case "Sequence":
      return new Sequence_default4(config);
    case "Replace":
      return new Replace_default3(config);
    case "Fuse":
      return new Fuse_default(config);
    case "Strip":
      return new Strip_default2(config);
    case "ByteFallback":
      return new ByteFallback_default(config);
    default:
      throw new Error(`Unknown Decoder type: ${config.type}`);
  }
}
var create_decoder_default = create_decoder;
var Tokenizer = class {
  constructor(tokenizer, config) {
    const tokenizer_error = validate_object(tokenizer, "Tokenizer", [
      "model",
      "decoder",
      "post_processor",
      "pre_tokenizer",
      "normalizer"
    ]);
    if (tokenizer_error) {
      throw new Error(tokenizer_error);
    }
    const config_error = validate_object(config, "Config");
    if (config_error) {
      throw new Error(config_error);
    }
    this.tokenizer = tokenizer;
    this.config = config;
    this.normalizer = create_normalizer_default(this.tokenizer.normalizer);
    this.pre_tokenizer = create_pre_tokenizer_default(this.tokenizer.pre_tokenizer);
    this.model = create_tokenizer_model_default(this.tokenizer.model, this.config);
    this.post_processor = create_post_processor_default(this.tokenizer.post_processor);
    this.decoder = create_decoder_default(this.tokenizer.decoder);
    this.special_tokens = [];
    this.all_special_ids = [];
    this.added_tokens = [];
    const unnormalized_contents = [];
    const normalized_contents = [];
    this.added_tokens_map = /* @__PURE__ */ new Map();
    for (const added_token of this.tokenizer.added_tokens) {
      const token = new AddedToken_default(added_token);
      this.added_tokens.push(token);
      this.model.tokens_to_ids.set(token.content, token.id);
      this.model.vocab[token.id] = token.content;
      if (token.special) {
        this.special_tokens.push(token.content);
        this.all_special_ids.push(token.id);
      }
      this.added_tokens_map.set(token.content, token);
      if (token.normalized && this.normalizer !== null) {
        const normalized_content = this.normalizer(token.content);
        normalized_contents.push(normalized_content);
        this.added_tokens_map.set(normalized_content, token);
      } else {
        unnormalized_contents.push(token.content);
      }
    }
    (this.config.additional_special_tokens ?? []).forEach((token) => {
      if (!this.special_tokens.includes(token)) this.special_tokens.push(token);
    });
    if (this.decoder) {
      this.decoder.added_tokens = this.added_tokens;
      this.decoder.end_of_word_suffix = this.model.end_of_word_suffix;
    }
    this.splitter_unnormalized = new DictionarySplitter_default(unnormalized_contents);
    this.splitter_normalized = new DictionarySplitter_default(normalized_contents);
    this.remove_space = this.config.remove_space;
    this.clean_up_tokenization_spaces = this.config.clean_up_tokenization_spaces ?? true;
    this.do_lowercase_and_remove_accent = this.config.do_lowercase_and_remove_accent ?? false;
  }
  // Implementation
  encode(text, {
    text_pair = null,
    add_special_tokens = true,
    return_token_type_ids = null
  } = {}) {
    const { tokens, token_type_ids } = this.tokenize_helper(text, {
      text_pair,
      add_special_tokens
    });
    const input_ids = tokens.map(
      (t) => this.added_tokens_map.get(t)?.id ?? this.model.tokens_to_ids.get(t) ?? this.model.unk_token_id
    );
    const result = {
      ids: input_ids,
      tokens,
      attention_mask: new Array(input_ids.length).fill(1)
    };
    if (return_token_type_ids && token_type_ids) {
      result.token_type_ids = token_type_ids;
    }
    return result;
  }
  decode(token_ids, options = {}) {
    if (!Array.isArray(token_ids) || token_ids.length === 0 || !is_integral_number(token_ids[0])) {
      throw Error("token_ids must be a non-empty array of integers.");
    }
    let tokens = token_ids.map(
      (i) => this.model.vocab[Number(i)] ?? this.model.unk_token
    );
    if (options.skip_special_tokens) {
      tokens = tokens.filter((x) => !this.special_tokens.includes(x));
    }
    let decoded = this.decoder ? this.decoder(tokens) : tokens.join(" ");
    if (this.decoder && this.decoder.end_of_word_suffix) {
      decoded = decoded.replaceAll(this.decoder.end_of_word_suffix, " ");
      if (options.skip_special_tokens) {
        decoded = decoded.trim();
      }
    }
    if (options.clean_up_tokenization_spaces ?? this.clean_up_tokenization_spaces) {
      decoded = clean_up_tokenization(decoded);
    }
    return decoded;
  }
  /**
   * Converts a string into a sequence of tokens.
   * @param text The sequence to be encoded.
   * @param options An optional object containing the following properties:
   * @returns The list of tokens.
   */
  tokenize(text, { text_pair = null, add_special_tokens = false } = {}) {
    return this.tokenize_helper(text, { text_pair, add_special_tokens }).tokens;
  }
  encode_text(text) {
    if (text === null) {
      return null;
    }
    const sections = this.splitter_unnormalized.split(text);
    sections.forEach((section, i) => {
      const added_token = this.added_tokens_map.get(section);
      if (added_token) {
        if (added_token.lstrip && i > 0) {
          sections[i - 1] = sections[i - 1].trimEnd();
        }
        if (added_token.rstrip && i < sections.length - 1) {
          sections[i + 1] = sections[i + 1].trimStart();
        }
      }
    });
    return sections.flatMap((processed_text, section_index) => {
      if (processed_text.length === 0) {
        return [];
      }
      if (this.added_tokens_map.has(processed_text)) {
        return [processed_text];
      }
      if (this.remove_space === true) {
        processed_text = processed_text.trim().split(/\s+/).join(" ");
      }
      if (this.do_lowercase_and_remove_accent) {
        processed_text = lowercase_and_remove_accents(processed_text);
      }
      if (this.normalizer !== null) {
        processed_text = this.normalizer(processed_text);
      }
      if (processed_text.length === 0) {
        return [];
      }
      const subsections = this.splitter_normalized.split(processed_text);
      subsections.forEach((subsection, j) => {
        const added_token = this.added_tokens_map.get(subsection);
        if (added_token) {
          if (added_token.lstrip && j > 0) {
            subsections[j - 1] = subsections[j - 1].trimEnd();
          }
          if (added_token.rstrip && j < subsections.length - 1) {
            subsections[j + 1] = subsections[j + 1].trimStart();
          }
        }
      });
      return subsections.flatMap((subsection) => {
        if (subsection.length === 0) {
          return [];
        }
        if (this.added_tokens_map.has(subsection)) {
          return [subsection];
        }
        const section_tokens = this.pre_tokenizer !== null ? this.pre_tokenizer(subsection, {
          section_index
        }) : [subsection];
        return this.model(section_tokens);
      });
    });
  }
  tokenize_helper(text, { text_pair = null, add_special_tokens = true }) {
    const tokens1 = this.encode_text(text);
    const tokens2 = this.encode_text(text_pair || null);
    return this.post_processor ? this.post_processor(tokens1, tokens2, add_special_tokens) : { tokens: merge_arrays(tokens1 ?? [], tokens2 ?? []) };
  }
  /**
   * Converts a token string to its corresponding token ID.
   * @param token The token string to convert.
   * @returns The token ID, or undefined if the token is not in the vocabulary.
   */
  token_to_id(token) {
    return this.model.tokens_to_ids.get(token);
  }
  /**
   * Converts a token ID to its corresponding token string.
   * @param id The token ID to convert.
   * @returns The token string, or undefined if the ID is not in the vocabulary.
   */
  id_to_token(id) {
    return this.model.vocab[id];
  }
  /**
   * Returns a mapping of token IDs to AddedToken objects for all added tokens.
   * @returns A Map where keys are token IDs and values are AddedToken objects.
   */
  get_added_tokens_decoder() {
    const decoder = /* @__PURE__ */ new Map();
    for (const token of this.added_tokens) {
      decoder.set(token.id, token);
    }
    return decoder;
  }
  /**
   * Get the underlying vocabulary
   * @param with_added_tokens Whether to include the added tokens
   * @returns The vocabulary
   */
  get_vocab(with_added_tokens = true) {
    const vocab = /* @__PURE__ */ new Map();
    for (let i = 0; i < this.model.vocab.length; ++i) {
      const token = this.model.vocab[i];
      if (with_added_tokens || !this.added_tokens_map.has(token)) {
        vocab.set(token, i);
      }
    }
    return vocab;
  }
};
var Tokenizer_default = Tokenizer;

// src/tokenizer/hostile-pattern.ts
var MAX_PATTERN_LENGTH = 1e4;
var UNBOUNDED = /^(?:[*+]|\{\d*,\})/;
function hostilePattern(pattern) {
  if (pattern.length > MAX_PATTERN_LENGTH) return `it has ${pattern.length} characters; at most ${MAX_PATTERN_LENGTH} are accepted`;
  const groups = [false];
  let classDepth = 0;
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern[at];
    if (character === "\\") at++;
    else if (character === "[") classDepth++;
    else if (character === "]" && classDepth > 0) classDepth--;
    else if (classDepth > 0) continue;
    else if (character === "(") groups.push(false);
    else if (character === ")" && groups.length > 1) {
      const repeats3 = groups.pop() === true;
      const unbounded = UNBOUNDED.test(pattern.slice(at + 1, at + 12));
      if (repeats3 && unbounded) return "it repeats a group that itself repeats without bound, so that matching can take exponential time";
      if (repeats3 || unbounded) groups[groups.length - 1] = true;
    } else if (character !== void 0 && UNBOUNDED.test(pattern.slice(at, at + 12))) groups[groups.length - 1] = true;
  }
  return null;
}

// src/tokenizer/tokenizer-json-check.ts
var MODEL_TYPES = ["BPE", "Unigram", "WordPiece"];
function checkTokenizerJson(file, json) {
  const model = json["model"];
  if (!isObject(model)) throw invalid(file, `"model" is ${quote(model)}; it must be an object with the vocabulary`);
  const modelType = typeOf(file, model);
  for (const key of ["normalizer", "pre_tokenizer", "post_processor", "decoder"]) {
    const section = json[key] ?? null;
    if (section !== null && !isObject(section)) throw invalid(file, `"${key}" is ${quote(section)}; it must be an object or null`);
    checkPatterns(file, key, section);
  }
  const ids = modelType === "Unigram" ? unigramVocabulary(file, model) : vocabulary(file, model);
  if (modelType === "BPE") checkBpe(file, model, ids);
  const unknownId = unknown(file, modelType, model, ids);
  const addedTokens = checkAddedTokens(file, json["added_tokens"], ids);
  return {
    modelType,
    json: {
      normalizer: json["normalizer"] ?? null,
      pre_tokenizer: json["pre_tokenizer"] ?? null,
      post_processor: json["post_processor"] ?? null,
      decoder: json["decoder"] ?? null,
      added_tokens: json["added_tokens"] ?? [],
      model: { ...model, type: modelType }
    },
    addedTokens,
    ids,
    unknownId,
    byteFallback: model["byte_fallback"] === true
  };
}
function typeOf(file, model) {
  const type = model["type"] ?? ("merges" in model ? "BPE" : Array.isArray(model["vocab"]) ? "Unigram" : null);
  const known = MODEL_TYPES.find((name) => name === type);
  if (known === void 0) throw invalid(file, `"model.type" is ${quote(type)}; known: ${MODEL_TYPES.join(", ")}`);
  return known;
}
function vocabulary(file, model) {
  const vocab = model["vocab"];
  if (!isObject(vocab))
    throw invalid(file, `"model.vocab" is ${Array.isArray(vocab) ? "a list" : quote(vocab)}; it must be an object from token to id`);
  const ids = /* @__PURE__ */ new Map();
  const tokens = /* @__PURE__ */ new Map();
  for (const [token, id] of Object.entries(vocab)) {
    if (!isTokenId(id))
      throw invalid(
        file,
        `"model.vocab" gives token ${quote(token)} the id ${quote(id)}; an id is a whole number from 0 to ${MAX_TOKEN_ID}`
      );
    const other = tokens.get(id);
    if (other !== void 0) throw invalid(file, `"model.vocab" gives the id ${id} to two tokens, ${quote(other)} and ${quote(token)}`);
    tokens.set(id, token);
    ids.set(token, id);
  }
  if (ids.size === 0) throw invalid(file, '"model.vocab" is empty');
  return ids;
}
function unigramVocabulary(file, model) {
  const vocab = model["vocab"];
  if (!Array.isArray(vocab) || vocab.length === 0) {
    throw invalid(file, `"model.vocab" is ${quote(vocab)}; a Unigram vocabulary must be a list of [token, score], and not empty`);
  }
  const ids = /* @__PURE__ */ new Map();
  vocab.forEach((entry, id) => {
    if (!Array.isArray(entry) || entry.length !== 2 || typeof entry[0] !== "string" || typeof entry[1] !== "number") {
      throw invalid(file, `entry ${id} of "model.vocab" is ${quote(entry)}; it must be [token, score]`);
    }
    ids.set(entry[0], id);
  });
  return ids;
}
function isTokenId(value) {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= MAX_TOKEN_ID;
}
function checkBpe(file, model, ids) {
  if (typeof model["dropout"] === "number" && model["dropout"] > 0) {
    throw invalid(file, `"model.dropout" is ${model["dropout"]}; merges dropped at random give other ids in each run. Set it to null`);
  }
  const prefix = model["continuing_subword_prefix"] ?? "";
  if (prefix !== "") throw invalid(file, `"model.continuing_subword_prefix" is ${quote(prefix)}; it is not supported for BPE`);
  const merges = model["merges"];
  if (!Array.isArray(merges)) throw invalid(file, `"model.merges" is ${quote(merges)}; it must be a list of pairs`);
  merges.forEach((merge, index) => {
    const pair = typeof merge === "string" ? merge.split(" ") : Array.isArray(merge) ? merge : [];
    const [left, right] = pair;
    if (pair.length !== 2 || typeof left !== "string" || typeof right !== "string") {
      throw invalid(file, `entry ${index} of "model.merges" is ${quote(merge)}; it must be two tokens`);
    }
    for (const token of [left, right, left + right]) {
      if (!ids.has(token))
        throw invalid(
          file,
          `entry ${index} of "model.merges", ${quote(merge)}, needs the token ${quote(token)}, which "model.vocab" lacks`
        );
    }
  });
}
function unknown(file, type, model, ids) {
  if (type === "Unigram") {
    const id2 = model["unk_id"] ?? null;
    if (id2 === null || isTokenId(id2) && id2 < ids.size) return id2;
    throw invalid(file, `"model.unk_id" is ${quote(id2)}, but "model.vocab" has ${ids.size} entries`);
  }
  const token = model["unk_token"] ?? null;
  const id = typeof token === "string" ? ids.get(token) ?? null : null;
  if (id === null && type === "WordPiece") throw invalid(file, `"model.unk_token" is ${quote(token)}, which "model.vocab" lacks`);
  return id;
}
function checkAddedTokens(file, value, ids) {
  if (value === void 0 || value === null) return [];
  if (!Array.isArray(value)) throw invalid(file, `"added_tokens" is ${quote(value)}; it must be a list`);
  if (value.length === 0) return [];
  const taken = new Map([...ids].map(([token, id]) => [id, token]));
  return value.map((entry, index) => {
    if (!isObject(entry) || !isTokenId(entry["id"]) || typeof entry["content"] !== "string" || entry["content"] === "") {
      throw invalid(
        file,
        `entry ${index} of "added_tokens" is ${quote(entry)}; it must have a "content" and an "id" from 0 to ${MAX_TOKEN_ID}`
      );
    }
    const token = { id: entry["id"], content: entry["content"], special: entry["special"] === true };
    const other = taken.get(token.id);
    if (other !== void 0 && other !== token.content) {
      throw invalid(file, `"added_tokens" gives ${quote(token.content)} the id ${token.id}, which belongs to ${quote(other)}`);
    }
    const known = ids.get(token.content);
    if (known !== void 0 && known !== token.id) {
      throw invalid(file, `"added_tokens" gives ${quote(token.content)} the id ${token.id}, but "model.vocab" gives it ${known}`);
    }
    taken.set(token.id, token.content);
    ids.set(token.content, token.id);
    return token;
  });
}
function checkPatterns(file, section, root) {
  const pending = [root];
  while (pending.length > 0) {
    const value = pending.pop();
    if (Array.isArray(value)) {
      for (const entry of value) pending.push(entry);
    } else if (isObject(value)) {
      const pattern = value["Regex"];
      const problem = typeof pattern === "string" ? hostilePattern(pattern) : null;
      if (problem !== null) throw invalid(file, `"${section}" has the regular expression ${quote(pattern)}; ${problem}`);
      for (const entry of Object.values(value)) pending.push(entry);
    }
  }
}

// src/tokenizer/tokenizer-json.ts
var Library = Tokenizer_default;
function openTokenizerJson(file, bytes, settings) {
  const checked = checkTokenizerJson(file, parseJsonObject(file, bytes));
  const extra = settings.addedTokens.filter((token) => !checked.ids.has(token.content));
  const ids = withExtra(checked, extra);
  const explicit = settings.addBos !== null || settings.addEos !== null;
  const prefix = settings.addBos === true ? specialIds2(ids, settings.bosToken, "bos_token") : [];
  const suffix = settings.addEos === true ? specialIds2(ids, settings.eosToken, "eos_token") : [];
  const library = new Library(
    {
      ...checked.json,
      added_tokens: [...list(checked.json["added_tokens"]), ...extra],
      post_processor: explicit ? null : checked.json["post_processor"]
    },
    { eos_token: settings.eosToken ?? void 0 }
  );
  const special = specialIdSet(checked, extra, settings, ids);
  const known = new Set(ids.values());
  return {
    vocabularySize: largest(known) + 1,
    encode(text) {
      const body = library.encode(text).ids;
      refuseByteFallback(file, checked, body);
      return [...prefix, ...body, ...suffix];
    },
    decode(all) {
      const shown = all.filter((id) => known.has(id) && !special.has(id));
      return shown.length === 0 ? "" : library.decode(shown, { clean_up_tokenization_spaces: false });
    }
  };
}
function refuseByteFallback(file, checked, ids) {
  if (checked.modelType !== "Unigram" || !checked.byteFallback || checked.unknownId === null || !ids.includes(checked.unknownId)) return;
  throw invalid(
    file,
    'the prompt has a character that is not in the vocabulary, and "byte_fallback" is not supported for Unigram; give the prompt as input_ids'
  );
}
function withExtra(checked, extra) {
  const ids = new Map(checked.ids);
  const taken = new Map([...ids].map(([token, id]) => [id, token]));
  for (const token of extra) {
    const other = taken.get(token.id);
    if (other !== void 0)
      throw invalid(CONFIG_FILE, `added_tokens_decoder gives ${quote(token.content)} the id ${token.id}, which belongs to ${quote(other)}`);
    taken.set(token.id, token.content);
    ids.set(token.content, token.id);
  }
  return ids;
}
function specialIds2(ids, token, key) {
  if (token === null) return [];
  const id = ids.get(token);
  if (id === void 0) throw invalid(CONFIG_FILE, `${key} is ${quote(token)}, which the vocabulary does not have`);
  return [id];
}
function specialIdSet(checked, extra, settings, ids) {
  const special = /* @__PURE__ */ new Set();
  for (const token of [...checked.addedTokens, ...extra]) if (token.special) special.add(token.id);
  for (const token of settings.specialTokens) {
    const id = ids.get(token);
    if (id !== void 0) special.add(id);
  }
  return special;
}
function largest(values) {
  let result = -1;
  for (const value of values) if (value > result) result = value;
  return result;
}
function list(value) {
  return Array.isArray(value) ? value : [];
}

// src/tokenizer/tokenizer.ts
var JSON_FILE = "tokenizer.json";
var MODEL_FILE = "tokenizer.model";
var JSON_LIMIT = 256e6;
var MODEL_LIMIT = 64e6;
var OTHER_FILES = [
  "vocab.json",
  "merges.txt",
  "vocab.txt",
  "spiece.model",
  "tekken.json",
  "tiktoken.model",
  "tokenizer.model.v3",
  "added_tokens.json"
];
async function loadTokenizer(files) {
  const settings = await readSettings(files);
  const json = await readTokenizerFile(files, JSON_FILE, JSON_LIMIT);
  if (json !== null) {
    const open = () => openTokenizerJson(JSON_FILE, json, settings);
    return guard(JSON_FILE, attempt(JSON_FILE, open));
  }
  const model = await readTokenizerFile(files, MODEL_FILE, MODEL_LIMIT);
  if (model === null) throw await missing(files);
  const opened = await openSentencePiece(MODEL_FILE, model, settings).catch((thrown) => {
    throw explain(MODEL_FILE, thrown);
  });
  return guard(MODEL_FILE, opened);
}
function guard(file, tokenizer) {
  return {
    vocabularySize: tokenizer.vocabularySize,
    encode(text) {
      const ids = attempt(file, () => tokenizer.encode(text));
      if (ids.some((id) => !Number.isInteger(id) || id < 0)) {
        throw invalid(file, "the vocabulary has no token for a part of the prompt, and no unknown-token to stand in for it");
      }
      if (ids.length === 0 && text !== "") throw invalid(file, "the prompt became no tokens at all: the vocabulary cannot express it");
      return ids;
    },
    decode: (ids) => ids.length === 0 ? "" : attempt(file, () => tokenizer.decode(ids))
  };
}
function attempt(file, action) {
  try {
    return action();
  } catch (thrown) {
    throw explain(file, thrown);
  }
}
function explain(file, thrown) {
  return thrown instanceof ModelError ? thrown : invalid(file, `the tokenizer library failed: ${causeOf(thrown)}`);
}
async function missing(files) {
  const present = new Set(await files.list());
  const found = OTHER_FILES.filter((name) => present.has(name));
  const seen = found.length === 0 ? "" : ` (it has ${found.join(", ")}, which cannot be read)`;
  return invalid(
    files.id,
    `the model has no ${JSON_FILE} and no SentencePiece ${MODEL_FILE}${seen}; save one with transformers' AutoTokenizer.from_pretrained(...).save_pretrained(...), or give the prompts as input_ids`
  );
}

// src/jobs.ts
var runner;
function engine({ threads: threads2, hand: hand2 }) {
  return runner ??= loadOnnxRuntime().then((ort) => {
    const local = createOpRunner(ort);
    return { ort, runner: threads2 === 1 ? local : startHands(local, threads2 - 1, hand2).runner };
  });
}
async function runJob(job, line) {
  switch (job.kind) {
    case "tokenize": {
      const tokenizer = await loadTokenizer(await openFolder(job.model));
      return job.texts.map((text) => tokenizer.encode(text));
    }
    case "detokenize": {
      const tokenizer = await loadTokenizer(await openFolder(job.model));
      return job.ids.map((ids) => tokenizer.decode(ids));
    }
    case "diff":
      return withCheckpoint(
        arrivingFiles(await openFolder(job.model), job.arriving, line.ask),
        (checkpoint, config) => diff(job, checkpoint, config, line)
      );
    case "reference":
      return withCheckpoint(await openFolder(job.model), async (checkpoint, config) => {
        const program = buildProgram(config);
        checkWeights(program, checkpoint);
        const recipe = job.recipe === "oracle" ? ORACLE : eager(job.dtype);
        return forward((await engine(line.share)).runner, program, checkpoint, {
          ids: job.ids,
          dtype: job.dtype,
          recipe,
          onLayer: line.onLayer
        });
      });
  }
}
async function withCheckpoint(files, use) {
  const config = await readModelConfig(files);
  const checkpoint = await openCheckpoint(files);
  try {
    return await use(checkpoint, refuseUnlessRunnable(checkpoint, config));
  } finally {
    await checkpoint.close();
  }
}
async function diff(job, checkpoint, config, line) {
  const program = buildProgram(config);
  checkWeights(program, checkpoint);
  const { ort, runner: ops } = await engine(line.share);
  const forDtype = ({ dtypes }) => dtypes.includes(job.dtype);
  const usable = job.kernels.filter(forDtype);
  const unfused = job.unfused.filter(forDtype).map((manifest) => remoteKernel(manifest, job.dtype, line.ask));
  const kernels = usable.map(
    (manifest) => runsInThread(manifest, job.execution_provider) ? onnxruntimeKernel(ort, onnxruntimeVersion(), manifest, job.execution_provider) : remoteKernel(manifest, job.dtype, line.ask)
  );
  try {
    const keeper = job.keep_in === null ? null : await keeperOf(job.keep_in, job.dtype, checkpoint);
    const numeric = await numericDiff(ops, { ...job, config, program, checkpoint, kernels, unfused, keeper, onLayer: line.onLayer });
    await keeper?.flush();
    return { numeric, kept: keeper?.counts ?? null };
  } finally {
    await Promise.all(kernels.map((kernel) => kernel.close()));
  }
}
function runsInThread(manifest, provider) {
  return manifest.backend === "onnxruntime" && manifest.operator !== void 0 && provider === "cpu";
}

// src/worker.ts
var port = parentPort;
if (port === null) throw new Error("worker.js is started by the other doors, not by hand");
var { threads, hand } = workerData;
var share2 = { threads, hand: new URL(hand) };
var asked = /* @__PURE__ */ new Map();
var questions = 0;
function ask(question) {
  const id = questions++;
  return new Promise((resolve3) => {
    asked.set(id, resolve3);
    send({ kind: "ask", id, question });
  });
}
function send(answer, movable2 = []) {
  port?.postMessage(answer, movable2);
}
port.on("message", (message) => {
  if (message.kind === "reply") {
    asked.get(message.id)?.(message.reply);
    asked.delete(message.id);
    return;
  }
  runJob(message.job, { onLayer: (layer) => send({ kind: "layer", layer }), share: share2, ask }).then(
    (result) => send({ kind: "done", result }, movable(result)),
    (error) => send({ kind: "failed", ...plainError(error) })
  );
});
function movable(result) {
  return "logits" in result ? [result.logits, result.hidden].map(({ data }) => data.buffer) : [];
}
