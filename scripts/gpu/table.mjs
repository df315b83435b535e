// Writes docs/gpu.md from what scripts/gpu/run.sh left in a folder: `node scripts/gpu/table.mjs FOLDER > docs/gpu.md`. Numbers only; nothing is computed here.

import { existsSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

const folder = process.argv[2];
if (folder === undefined) {
  console.error('usage: node scripts/gpu/table.mjs FOLDER');
  process.exit(2);
}

const text = (name) => (existsSync(join(folder, name)) ? readFileSync(join(folder, name), 'utf8').trim() : null);
const report = (name) => {
  const found = text(join(name, 'report.json'));
  return found === null ? null : JSON.parse(found);
};

const number = (value, digits = 3) => (value === null || value === undefined ? '' : Number(value).toPrecision(digits));
const small = (value) =>
  value === null || value === undefined ? '' : value === 0 ? '0' : Math.abs(value) < 0.001 ? value.toExponential(1) : number(value);
const percent = (value) => (value === null || value === undefined ? '' : `${(100 * value).toFixed(1)} %`);
const micros = (value) => (value === null || value === undefined ? '' : `${Number(value).toFixed(1)} µs`);
const cell = (value) =>
  String(value ?? '')
    .replaceAll('|', '\\|')
    .replaceAll('\n', ' ');

function table(head, rows) {
  const line = (cells) => `| ${cells.map(cell).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

const modelName = ({ id }) => basename(id);

function probesOf({ probes }) {
  if (probes === null || probes === undefined) return '';
  const failed = probes.filter(({ status }) => status !== 'pass').map(({ name }) => name);
  return failed.length === 0 ? `${probes.length} of ${probes.length}` : `not: ${failed.join(', ')}`;
}

function timeOf(model, kernel) {
  const timed = model.numeric?.performance?.kernels?.find((entry) => entry.kernel === kernel);
  return [micros(timed?.fused_us), micros(timed?.standard_us), timed?.speedup == null ? '' : `${timed.speedup.toFixed(2)} ×`];
}

function kernelTable({ models }) {
  const rows = models.flatMap((model) =>
    (model.numeric?.kernels ?? []).map((k) => [
      modelName(model),
      k.kernel,
      k.status,
      number(k.accuracy_ratio),
      percent(k.bitwise_equal),
      `${k.nearest_recipe ?? ''} (${percent(k.nearest_recipe_equal)})`,
      small(k.max_abs_diff),
      small(k.mean_abs_diff),
      probesOf(k),
      ...timeOf(model, k.kernel),
      k.detail ?? '',
    ]),
  );
  const head = [
    'model',
    'kernel',
    'status',
    'accuracy ratio',
    'bitwise equal',
    'nearest recipe',
    'max abs diff',
    'mean abs diff',
    'probes passed',
    'fused',
    'unfused',
    'speed',
    'detail',
  ];
  return table(head, rows);
}

function modelTable({ models }) {
  const rows = models.map((model) => {
    const level = model.numeric?.model;
    return [
      modelName(model),
      model.verdict,
      level?.status,
      small(level?.kl_fused),
      small(level?.kl_floor),
      number(level?.kl_ratio),
      percent(level?.top1_agreement),
      level?.decisive_flips,
      number(level?.amplification),
    ];
  });
  return table(['model', 'verdict', 'model level', 'KL fused', 'KL floor', 'kl_ratio', 'top-1', 'decisive flips', 'amplification'], rows);
}

function device(found) {
  const devices = new Set(found.models.flatMap(({ numeric }) => (numeric?.kernels ?? []).map((k) => k.device)).filter(Boolean));
  return [...devices].join('; ');
}

function section(title, name, prose) {
  const found = report(name);
  if (found === null) return `## ${title}\n\n${prose}\n\nNot measured in this run.\n`;
  return `## ${title}\n\n${prose} Ran on ${device(found)}.\n\n${modelTable(found)}\n\n${kernelTable(found)}\n`;
}

const parts = (text('parts.tsv') ?? '').split('\n').map((line) => line.split('\t'));

console.log(`# On a GPU

Everything on this page was measured by \`scripts/gpu/run.sh\` and written by \`scripts/gpu/table.mjs\`; nothing is filled in by hand.

\`\`\`text
${text('machine.txt') ?? 'machine: not recorded'}
\`\`\`

${table(['part', 'result', 'time'], parts)}

How to read the tables: docs/report.md. "unfused" is our own unfused chain of kernels on the same device, by device events; \`kl_ratio\` and \`accuracy ratio\` are in units of the noise floor
(pass up to 2). The demo models are small (hidden size 64), so their times are launch times; the shapes of real models are further down.
`);
console.log(
  section(
    'Our kernels in bfloat16',
    'cuda-bfloat16',
    'Every CUDA kernel of `kernels/cuda` at every site of the five demo models, through the command line.',
  ),
);
console.log(section('Our kernels in float16', 'cuda-float16', 'The same in float16.'));
console.log(
  section(
    'Rounding as PyTorch does',
    'rms-norm-qkv',
    '`rms_norm_qkv` that rounds the normalised value to bfloat16 before it multiplies by the norm weight, as PyTorch does; alone in the model.',
  ),
);
console.log(
  section(
    'Rounding late',
    'rms-norm-qkv-late-rounding',
    'The kernel of the report that started this project: it multiplies by the norm weight first and rounds once. The report gave 0.000488 as its largest and 0.000046 as its mean difference, on other inputs; here they are `max abs diff` and `mean abs diff`.',
  ),
);
console.log(
  section('Triton', 'triton-rms-norm-qkv', 'The example in `examples/kernels/triton-rms-norm-qkv`, through the command backend.'),
);
console.log(
  section(
    "PyTorch's scaled_dot_product_attention",
    'pytorch-sdpa',
    'The example in `examples/kernels/pytorch-sdpa`, through the command backend.',
  ),
);
console.log(
  section(
    'ONNX Runtime on WebGPU in bfloat16',
    'webgpu-bfloat16',
    "ONNX Runtime's own fused operators on its WebGPU provider. It has no bfloat16 kernels, so they compute in float32 and the result is rounded once.",
  ),
);
console.log(
  section(
    'ONNX Runtime on WebGPU in float16',
    'webgpu-float16',
    'The same in float16, which these kernels use inside too: where one fails here, its own arithmetic is what the gate saw. The whole models stay within the noise.',
  ),
);
console.log(
  section(
    'Shapes of real models',
    'shapes',
    'The kernels with the shapes of Qwen3-0.6B, TinyLlama-1.1B and ERNIE-4.5-0.3B: synthetic weights, two layers, 256 tokens.',
  ),
);
// The cases that are right are hundreds of lines; what is left are the times, what was wrong, and the count.
const verified = text('verify.txt')
  ?.split('\n')
  .filter((line) => !line.startsWith('ok '))
  .join('\n');
console.log(`## Times against the floor

Each kernel alone (\`scripts/gpu/verify.py\`), by CUDA events, beside what the memory or the matrix units of such a machine can do.

\`\`\`text
${verified ?? 'not measured'}
\`\`\``);
