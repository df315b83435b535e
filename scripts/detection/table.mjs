// Writes docs/detection.md from the results of scripts/detection.mjs, and compares the committed one with the kernels that exist.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { layersSection, LAYERS } from './layers.mjs';
import { readMutants } from './mutants.mjs';
import { SEEDS, seedsSection } from './seeds.mjs';
import { largest, number, table } from './text.mjs';

export const DOCUMENT = 'docs/detection.md';

const TOOLS = {
  assert_close: '`assert_close`',
  kernelbench: 'KernelBench',
  flash_attention: 'FlashAttention',
  llama_cpp: 'llama.cpp',
  polygraphy: 'Polygraphy',
};
/** What a backend sees beside the result; their names among the probes. */
const WATCHED = { outputs_written: 'unwritten outputs', guard_bands: 'guard bands', inputs_unchanged: 'changed inputs' };

/** All kernels that a row may be about. */
function catalogue(root) {
  const { broken, correct } = JSON.parse(readFileSync(join(root, '__tests__/kernels/zoo/zoo.json'), 'utf8'));
  const numpy = [...broken.map((kernel) => ({ ...kernel, wrong: true })), ...correct.map((kernel) => ({ ...kernel, wrong: false }))];
  return { numpy, cuda: readMutants(root) };
}

/** What is wrong with the committed document. */
export function problems(root) {
  const text = readFileSync(join(root, DOCUMENT), 'utf8');
  const { numpy, cuda } = catalogue(root);
  const rows = [...text.matchAll(/^\| `([a-z0-9.-]+)` +\| ([^|]+?) +\|/gm)].map(([, name, words]) => ({ name, words }));
  const known = new Map([...numpy, ...cuda].map(({ name, words }) => [name, words]));
  const named = new Set(rows.map(({ name }) => name));
  const found = [...named].filter((name) => !known.has(name)).map((name) => `${name} is no kernel of __tests__/kernels/zoo`);
  // CUDA kernels have rows only where a GPU has run them, but then all of them.
  const expected = [...numpy, ...(cuda.some(({ name }) => named.has(name)) ? cuda : [])];
  found.push(...expected.filter(({ name }) => !named.has(name)).map(({ name }) => `${name} has no row; measure again`));
  for (const { name, words, wrong } of expected) {
    const first = rows.find((row) => row.name === name);
    if (first !== undefined && first.words !== words)
      found.push(`${name} is another kernel now (${wrong ? 'broken' : 'correct'}: ${words})`);
  }
  for (const [title, wrong] of [
    [SEEDS, false],
    [LAYERS, true],
  ]) {
    const part = sectionOf(text, title);
    const lacking = numpy.filter((kernel) => kernel.wrong === wrong && !part.includes(`\n| \`${kernel.name}\` `));
    found.push(...lacking.map(({ name }) => `${name} has no row under "${title}"; measure again`));
  }
  return found;
}

/** Empty where there is none. */
function sectionOf(text, title) {
  return text.split(/^(?=## )/m).find((part) => part.startsWith(`## ${title}\n`)) ?? '';
}

/** One row's worth of results. */
function evidence(kernel, results) {
  // A kernel without an answer (a crash, an illegal address) is INCONCLUSIVE, which fails the gate too.
  const caught = results.filter((one) => one.status === 'fail' || one.status === 'inconclusive' || freeFails(one));
  return { ...kernel, results, caught };
}

function freeFails({ alone, free }) {
  return alone === true && free?.status === 'fail';
}

/** By what a kernel was caught, over all models. */
function causes({ caught }) {
  const found = new Map();
  const note = (cause) => found.set(cause, (found.get(cause) ?? 0) + 1);
  for (const one of caught) {
    const watched = one.probes.filter(({ name, status }) => name in WATCHED && status === 'fail').map(({ name }) => WATCHED[name]);
    const probes = one.probes.filter(({ name, status }) => !(name in WATCHED) && status === 'fail').map(({ name }) => `\`${name}\``);
    const { detail } = one;
    if (one.status === 'inconclusive') note('crash');
    if (watched.length > 0) watched.forEach(note);
    if (one.status === 'fail' && detail !== null && !detail.startsWith('probe ')) {
      if (/accuracy_ratio|max_ratio/.test(detail)) note('accuracy');
      else if (detail.includes('scale error')) note('scale error');
      else if (detail.includes('NaN or infinite')) note('not finite');
      else if (watched.length === 0) note('backend');
    } else probes.slice(0, 3).forEach((name) => note(`probe ${name}`));
    if (one.status !== 'fail' && freeFails(one)) note('model level');
  }
  return [...found.keys()].join(', ');
}

/** On how many models a tool rejects an output at the sites; where none, whether it does on the inputs of our probes. */
function said(results, tool) {
  const answered = results.filter(({ others }) => others !== undefined && others.sites.calls > 0);
  const at = (where) => answered.filter(({ others }) => others[where].rejected[tool] > 0).length;
  return { sites: at('sites'), probes: at('probes'), of: answered.length };
}

function cell(results, tool) {
  const { sites, probes, of } = said(results, tool);
  if (of === 0) return '–';
  return sites === 0 && probes > 0 ? `0/${of}, probes` : `${sites}/${of}`;
}

function brokenTable(rows) {
  const head = ['kernel', 'what is wrong', 'caught', 'by', 'largest accuracy ratio', ...Object.values(TOOLS)];
  return table(
    head,
    rows.map((row) => [
      `\`${row.name}\``,
      row.words,
      `${row.caught.length}/${row.results.length}`,
      causes(row),
      number(largest(row.results.map((one) => one.accuracy_ratio))),
      ...Object.keys(TOOLS).map((tool) => cell(row.results, tool)),
    ]),
  );
}

function correctTable(rows) {
  const head = ['kernel', 'how it computes', 'false alarms', 'largest accuracy ratio', 'largest KL ratio', ...Object.values(TOOLS)];
  const alarm = ({ results }) => {
    const loud = results.filter(({ status, free }) => status !== 'pass' || (free !== null && free.status !== 'pass'));
    if (loud.length === 0) return `0/${results.length}`;
    return `${loud.length}/${results.length}: ${[...new Set(loud.map(({ status, free }) => (status === 'pass' ? `model level ${free.status}` : status)))].join(', ')}`;
  };
  return table(
    head,
    rows.map((row) => [
      `\`${row.name}\``,
      row.words,
      alarm(row),
      number(largest(row.results.map((one) => one.accuracy_ratio))),
      number(largest(row.results.map(({ free }) => free?.kl_ratio))),
      ...Object.keys(TOOLS).map((tool) => cell(row.results, tool)),
    ]),
  );
}

function missedTable(rows) {
  const missed = rows.flatMap((row) => row.results.filter((one) => !row.caught.includes(one)).map((one) => ({ ...one, words: row.words })));
  if (missed.length === 0) return 'Every broken kernel was caught on every model that it applies to.';
  const head = ['kernel (model)', 'status', 'accuracy ratio', 'max ratio', 'scale error', 'KL ratio, running free', 'probes that failed'];
  return table(
    head,
    missed.map((one) => [
      `${one.kernel} (${one.model})`,
      one.status,
      number(one.accuracy_ratio, 3),
      number(one.max_ratio, 3),
      one.scale_error === null ? '–' : one.scale_error.toExponential(1),
      number(one.free?.kl_ratio, 3),
      one.probes.map(({ name }) => name).join(', ') || 'none',
    ]),
  );
}

function counts(broken, correct) {
  const alarmed = ({ results }) =>
    results.some(({ status, free }) => status === 'fail' || status === 'inconclusive' || free?.status === 'fail');
  const warned = (row) => !alarmed(row) && row.results.some(({ status, free }) => status === 'warn' || free?.status === 'warn');
  const pairs = broken.reduce((sum, { results }) => sum + results.length, 0);
  const pairsCaught = broken.reduce((sum, { caught }) => sum + caught.length, 0);
  const rows = [
    ['fused-compat', `${broken.filter(({ caught }) => caught.length > 0).length}`, '', `${correct.filter(alarmed).length}`, ''],
    ...Object.entries(TOOLS).map(([tool, name]) => {
      const any = (of, where) => of.filter(({ results }) => said(results, tool)[where] > 0).length;
      const either = (of) => of.filter(({ results }) => said(results, tool).sites + said(results, tool).probes > 0).length;
      return [name, `${any(broken, 'sites')}`, `${either(broken)}`, `${any(correct, 'sites')}`, `${either(correct)}`];
    }),
  ];
  const head = [
    'criteria',
    `broken seen, of ${broken.length}`,
    'with the inputs of our probes too',
    `correct rejected, of ${correct.length}`,
    'with the inputs of our probes too',
  ];
  return [
    table(head, rows),
    '',
    `Kernel by kernel and model by model, the gate caught ${pairsCaught} of ${pairs}. Of the correct kernels ${correct.filter(warned).length} had a warning somewhere, which does not fail the gate.`,
  ].join('\n');
}

function section(title, { about, broken, correct, device }) {
  return [
    `## ${title}`,
    '',
    `Measured on ${about.date} on ${device} (host: ${about.cpu}), bfloat16.`,
    '',
    counts(broken, correct),
    '',
    '### Broken kernels',
    '',
    brokenTable(broken),
    '',
    '### Correct kernels',
    '',
    correctTable(correct),
    '',
    '### Not caught',
    '',
    missedTable(broken),
    '',
    ...notes(broken),
  ].join('\n');
}

/** Why a broken kernel was not caught on a model; only of those that were not. */
const REASONS = JSON.parse(readFileSync(new URL('reasons.json', import.meta.url), 'utf8'));

function notes(broken) {
  const missed = broken.filter(({ caught, results }) => caught.length < results.length).map(({ name }) => name);
  return missed.filter((name) => name in REASONS).flatMap((name) => [`- \`${name}\`: ${REASONS[name]}`]);
}

const PROSE = `# Detection

What the gate catches, and what it leaves alone: kernels with one known fault each, and correct kernels that compute in another way, run through the program
on the five demo models. Beside each stands what the default criteria of other tools say of the same outputs. Then the correct kernels with prompts drawn
by seeds, and the broken ones wrong in one layer of a model only. \`node scripts/detection.mjs\` makes these tables; every number is from its runs.

## How to read the tables

- _caught_: on how many of the models that the fault applies to (a window of attention needs one) the kernel failed. Every fault is run on all five.
- _by_: \`accuracy\` and \`scale error\` are the criteria at the model's own activations ([reference.md](reference.md)), \`probe …\` made-up inputs
  ([probes.md](probes.md)), _guard bands_, _changed inputs_ and _unwritten outputs_ what the backend watched, _model level_ the whole model
  running free, _crash_ that it gave no answer, which is INCONCLUSIVE and fails the gate too.
- Other tools: on how many models their default criterion rejects at least one output at the model's own activations. \`probes\`: at none of those, but for
  an input of our probes, which a user of that tool would have to think of. They judge single outputs; races, leftovers, changed inputs and memory beside the
  outputs are not theirs to see, unless the numbers show it.
- A criterion that rejects nearly all correct kernels says nothing when it rejects a broken one: Polygraphy's and llama.cpp's generic defaults are made for
  float32 outputs, and rounding to bfloat16 alone is beyond them.

| tool | rejects an output when |
| --- | --- |
| \`torch.testing.assert_close\` | an element is off eager's by more than 1e-5 + 1.6e-2 · its value (bfloat16) |
| KernelBench | an element is off eager's by more than 1e-2 + 1e-2 · its value |
| FlashAttention's tests | the largest error is over 2 times eager's + 1e-5, both against the oracle |
| llama.cpp \`test-backend-ops\` | the normalised mean squared error against the oracle is over 1e-7; 5e-4 for products and attention |
| Polygraphy | an element is off eager's by more than 1e-5 and by more than 1e-5 of its value |
`;

const TITLES = { numpy: 'NumPy kernels on the CPU', cuda: 'CUDA kernels on a GPU' };

/** Tables of known kernels and what other tools say; null where there are no results. */
function kindSection(kind, kernels, folders) {
  const file = folders.map((folder) => join(folder, `${kind}.json`)).find((path) => existsSync(path));
  if (file === undefined) return null;
  const { about, results } = JSON.parse(readFileSync(file, 'utf8'));
  const missing = kernels.filter(({ name }) => results[name] === undefined);
  if (missing.length > 0) throw new Error(`${file} lacks ${missing.map(({ name }) => name).join(', ')}`);
  const rows = kernels.map((kernel) => evidence(kernel, results[kernel.name]));
  const device = rows.flatMap((row) => row.results.flatMap((one) => one.device ?? []))[0] ?? 'an unknown device';
  const both = { broken: rows.filter(({ wrong }) => wrong), correct: rows.filter(({ wrong }) => !wrong) };
  return section(TITLES[kind], { about, device, ...both });
}

/** Writes the sections of which there are results; the others stay as they are. */
export async function render(root, folders) {
  const path = join(root, DOCUMENT);
  const { numpy, cuda } = catalogue(root);
  const lists = { broken: numpy.filter(({ wrong }) => wrong), correct: numpy.filter(({ wrong }) => !wrong) };
  const first = (section) => folders.map((folder) => section(folder)).find((found) => found !== null) ?? null;
  const made = [
    kindSection('numpy', numpy, folders),
    kindSection('cuda', cuda, folders),
    first((folder) => seedsSection(folder, lists)),
    first((folder) => layersSection(folder, lists, causes)),
  ];
  if (made.every((found) => found === null)) throw new Error('no results there');
  const text = readFileSync(path, 'utf8');
  const sections = [...Object.values(TITLES), SEEDS, LAYERS].map((title, i) => made[i] ?? sectionOf(text, title));
  const { default: prettier } = await import('prettier');
  const options = { ...(await prettier.resolveConfig(path)), filepath: path };
  writeFileSync(path, await prettier.format([PROSE, ...sections, ''].join('\n'), options));
}
