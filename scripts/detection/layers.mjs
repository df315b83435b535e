// One-layer faults: the broken kernels of the zoo, wrong in the first, the middle or the last layer of each model only, through the gate one by
// one, so that the model level speaks of that kernel alone. One file per kernel, place and group of models, so that what is there is not run again.

import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { exponential, largest, measured, number, table } from './text.mjs';
import { appliesIn, layerAt, MODELS, numpyZoo, PLACES, results, save, startFolder } from './zoo.mjs';

/** Title of the section of docs/detection.md. */
export const LAYERS = 'Broken in one layer only';

const DTYPE = 'bfloat16';
/** 133 tokens: more than a tile of 128, no whole tiles of 16, a prompt of one token, and two longer than the windows of 24. */
const PROMPTS = [1, 17, 51, 64].map((length, i) => Array.from({ length }, (_, t) => 3 + ((t * 389 + i * 61) % 1000)));

/** The two with the fewest layers, which together have all that a fault can need, first: a run that is ended early has them. */
const GROUPS = [['mistral-mini', 'gemma3-mini'], ['qwen3-mini'], ['tinyllama-mini', 'ernie45-mini']].map((names) =>
  MODELS.filter((model) => names.includes(basename(model))),
);

/** Runs what is not in the folder yet. */
export async function runLayers(gate, markLayers, out, chosen) {
  const kernels = numpyZoo().filter(({ name, wrong }) => wrong && chosen(name));
  const folder = join(out, 'layers');
  startFolder(folder);
  const fileOf = (kernel, place, group) => join(folder, `${kernel.name}-${place}-${group}.json`);
  const work = mkdtempSync(join(tmpdir(), 'detection-layers-'));
  const marksOf = (place) => (op) => join(work, `${place}-${op}.safetensors`);
  try {
    for (const place of PLACES) {
      const layers = new Map(MODELS.map((model) => [model, layerAt(model, place)]));
      await markLayers({ dtype: DTYPE, prompts: PROMPTS, layers }, marksOf(place));
    }
    for (const [group, all] of GROUPS.entries()) {
      const left = kernels.flatMap((kernel) => PLACES.map((place) => ({ kernel, place, file: fileOf(kernel, place, group) })));
      for (const { kernel, place, file } of left.filter((one) => !existsSync(one.file))) {
        const started = performance.now();
        const manifests = join(work, `${kernel.name}-${place}`);
        kernel.write(manifests, DTYPE, ['--only-in', marksOf(place)(kernel.op)]);
        const models = all.filter((model) => appliesIn(kernel, model, layerAt(model, place)));
        const found = await runOne(gate, manifests, models, place);
        const seconds = (performance.now() - started) / 1000;
        save(file, { kernel: kernel.name, place, seconds, results: found });
        const words = found.map((one) => `${one.model} ${caught(one) ? namedBy(one).join('+') || 'caught' : 'MISSED'}`);
        console.error(`${kernel.name}, ${place}: ${words.join(', ')}; ${seconds.toFixed(0)} s`);
      }
    }
  } finally {
    rmSync(work, { recursive: true });
  }
}

async function runOne(gate, kernels, models, place) {
  if (models.length === 0) return [];
  const report = await gate.run({ models, kernels, dtype: DTYPE, prompts: PROMPTS.map((input_ids) => ({ input_ids })) });
  return report.models.flatMap(({ verdict, reasons, numeric }, i) => {
    if (numeric === null) throw new Error(`${models[i]}: ${reasons.map(({ message }) => message).join('; ')}`);
    // No site of the kernel in this model.
    if (numeric.kernels.length === 0) return [];
    const [result] = numeric.kernels;
    const { status, detail, kl_ratio, decisive_flips, first_layer_above_floor, responsible } = numeric.model;
    return [
      {
        model: basename(models[i]),
        layer: layerAt(models[i], place),
        verdict,
        ...pick(result, ['status', 'detail', 'worst_layer', 'accuracy_ratio', 'max_ratio', 'scale_error', 'scale_error_standard_error']),
        ...pick(result, ['non_finite', 'bitwise_equal', 'smallest_scale_error']),
        probes: result.probes.filter((probe) => probe.status !== 'pass'),
        free: { status, detail, kl_ratio, decisive_flips, first_layer_above_floor, responsible },
      },
    ];
  });
}

function pick(object, keys) {
  return Object.fromEntries(keys.map((key) => [key, object[key]]));
}

/** The gate fails: by the kernel, or by the model level. */
export function caught({ status, free }) {
  return status === 'fail' || status === 'inconclusive' || free.status === 'fail';
}

/** Which parts of the report name the layer, and no other. */
export function namedBy({ layer, detail, free }) {
  const named = [];
  if (detail?.startsWith(`layer ${layer} `)) named.push('site');
  if (new RegExp(`^probe .* \\(weights of layer ${layer} [^,]*\\)$`).test(detail ?? '')) named.push('probe');
  const { responsible } = free;
  if (responsible?.length === 1 && responsible[0].layers.length === 1 && responsible[0].layers[0] === layer) named.push('responsible');
  return named;
}

/** Why a one-layer fault is not seen, by kernel. */
const REASONS = JSON.parse(readFileSync(new URL('layer-reasons.json', import.meta.url), 'utf8'));

/**
 * The section of docs/detection.md; null where nothing was run.
 * @param causes says by what results were caught
 */
export function layersSection(out, { broken }, causes) {
  const found = results(join(out, 'layers'));
  if (found === null) return null;
  const all = found.runs.flatMap(({ kernel, place, results: each }) => each.map((one) => ({ ...one, kernel, place, alone: true })));
  const rows = broken.map((kernel) => ({ ...kernel, results: all.filter((one) => one.kernel === kernel.name) }));
  const none = rows.filter((row) => row.results.length === 0).map(({ name }) => name);
  if (none.length > 0) throw new Error(`the runs of one layer lack ${none.join(', ')}`);
  return [
    `## ${LAYERS}`,
    '',
    `${measured(found.about)}, bfloat16, prompts of ${PROMPTS.map(({ length }) => length).join(', ')} tokens. Each broken NumPy kernel goes through the gate alone, wrong in the first, the middle or`,
    'the last layer of the model only and right in all others; it knows the layer by its weights or, where the op has none, by its inputs.',
    ...(found.runs.length < broken.length * PLACES.length * GROUPS.length
      ? ['Not every kernel was run on every model; the columns say on how many.']
      : []),
    '',
    counts(all),
    '',
    '- _first_, _middle_, _last_: on how many models the gate fails **and** names that layer and no other, as the place of the failing site or as the layer whose',
    '  weights the failing probe had. _warned_: the site is named, but its ratio is between 2 and 4, which warns and does not fail.',
    '- _responsible_: of the models that leave the noise floor as a whole, in how many `responsible` names this kernel in that layer and nothing else.',
    '',
    layerTable(rows, causes),
    '',
    '### Not caught in one layer',
    '',
    ...missed(rows),
    '',
  ].join('\n');
}

function counts(all) {
  const failing = all.filter(caught);
  const siteOrProbe = (one) => namedBy(one).some((by) => by !== 'responsible');
  const whole = all.filter(({ free }) => free.status === 'fail' || free.status === 'warn');
  const inFull = whole.filter((one) => namedBy(one).includes('responsible'));
  const quiet = all.filter((one) => !caught(one));
  const warned = quiet.filter((one) => one.status === 'warn' && siteOrProbe(one));
  const models = MODELS.map((path) => basename(path)).map((model) => ({ model, count: all.filter((one) => one.model === model).length }));
  const on = models.filter(({ count }) => count > 0).map(({ model, count }) => `${model} ${count}`);
  return (
    `Of ${all.length} faults (kernel, model and layer: ${on.join(', ')}) the gate fails on ${failing.length}, and names the layer in ${failing.filter((one) => namedBy(one).length > 0).length} of those; ` +
    `${warned.length} more have a warning that names it, and ${quiet.length - warned.length} are not seen. Reports that name a site of another layer: ${all.filter(namesAnother).length}. ` +
    `The whole model leaves the noise floor in ${whole.length}; in ${inFull.length} of those \`responsible\` is this kernel in this layer.`
  );
}

/** A failing site of a layer in which the kernel is right. */
function namesAnother({ layer, detail }) {
  const [, named] = /^layer (\d+) /.exec(detail ?? '') ?? [];
  return named !== undefined && Number(named) !== layer;
}

function layerTable(rows, causes) {
  const cell = (each) => {
    if (each.length === 0) return '–';
    const full = each.filter((one) => caught(one) && namedBy(one).length > 0).length;
    const unnamed = each.filter((one) => caught(one) && namedBy(one).length === 0).length;
    const warned = each.filter((one) => !caught(one) && one.status === 'warn').length;
    return [`${full}/${each.length}`, ...(unnamed > 0 ? [`${unnamed} not named`] : []), ...(warned > 0 ? [`${warned} warned`] : [])].join(
      ', ',
    );
  };
  return table(
    ['kernel', 'what is wrong', ...PLACES, 'by', 'largest accuracy ratio', 'largest KL ratio', '`responsible`'],
    rows.map((row) => {
      const whole = row.results.filter(({ free }) => free.status === 'fail' || free.status === 'warn');
      const inFull = whole.filter((one) => namedBy(one).includes('responsible')).length;
      return [
        `\`${row.name}\``,
        row.words,
        ...PLACES.map((place) => cell(row.results.filter((one) => one.place === place))),
        causes({ caught: row.results.filter(caught) }) || '–',
        number(largest(row.results.map((one) => one.accuracy_ratio))),
        number(largest(row.results.map(({ free }) => free.kl_ratio))),
        whole.length === 0 ? '–' : `${inFull}/${whole.length}`,
      ];
    }),
  );
}

/** The faults that did not fail the gate, with the numbers that say why. */
function missed(rows) {
  const some = rows.map((row) => ({ ...row, quiet: row.results.filter((one) => !caught(one)) })).filter(({ quiet }) => quiet.length > 0);
  if (some.length === 0) return ['None.'];
  const places = (quiet) =>
    PLACES.flatMap((place) => {
      const count = quiet.filter((one) => one.place === place).length;
      return count === 0 ? [] : `${place} ${count}`;
    }).join(', ');
  const head = ['kernel', 'not caught on', 'accuracy ratio', 'max ratio', 'scale error', 'KL ratio'];
  return [
    'The largest numbers that the fault shows where the gate does not fail:',
    '',
    table(
      head,
      some.map(({ name, quiet }) => [
        `\`${name}\``,
        places(quiet),
        number(largest(quiet.map((one) => one.accuracy_ratio)), 3),
        number(largest(quiet.map((one) => one.max_ratio)), 3),
        exponential(largest(quiet.map((one) => one.scale_error))),
        number(largest(quiet.map(({ free }) => free.kl_ratio)), 3),
      ]),
    ),
    '',
    ...some.map(({ name }) => `- \`${name}\`: ${REASONS[name] ?? 'no reason is known.'}`),
  ];
}
