// Writes what is generated from src/kernels/contracts.ts: the tables of docs/kernels.md and the ops of schemas/kernel.schema.json.
// `node scripts/contracts.mjs` writes them; with `--check` it changes nothing and fails when they say something else.

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import esbuild from 'esbuild';
import prettier from 'prettier';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const MARKERS = ['<!-- contracts: node scripts/contracts.mjs -->', '<!-- /contracts -->'];

/** TypeScript cannot be imported as it is; this file imports no packages, so what is made needs no place on the disk. */
async function contracts() {
  const { outputFiles } = await esbuild.build({
    entryPoints: [join(ROOT, 'src/kernels/contracts.ts')],
    bundle: true,
    format: 'esm',
    write: false,
  });
  const { CONTRACTS } = await import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString('base64')}`);
  return CONTRACTS;
}

const tensor = ({ name, shape, dtype, optional }) =>
  `${name}${optional ? '?' : ''} [${shape.join(',')}]${dtype === 'serving' ? '' : ` ${dtype}`}`;

function tables(all) {
  const ops = [...all].map(([op, { inputs, attributes, outputs, stands_for }]) => [
    `\`${op}\``,
    [...inputs.map(tensor), ...(stands_for === 'layer' ? ["the layer's weights by their checkpoint names"] : [])].join(', '),
    attributes.map(({ name }) => name).join(', '),
    outputs.map(tensor).join(', '),
  ]);
  const known = new Map([...all.values()].flatMap(({ attributes }) => attributes.map((attribute) => [attribute.name, attribute])));
  const attributes = [...known.values()].map(({ name, type, meaning }) => [`\`${name}\``, type, meaning]);
  return [table(['op', 'inputs', 'attributes', 'outputs'], ops), table(['attribute', 'type', 'meaning'], attributes)].join('\n\n');
}

const row = (cells) => `| ${cells.join(' | ')} |`;
const table = (head, rows) => [row(head), row(head.map(() => '---')), ...rows.map(row)].join('\n');

function document(text, all) {
  const [start, end] = MARKERS.map((marker) => text.indexOf(marker));
  if (start < 0 || end < start) throw new Error('docs/kernels.md has lost its markers');
  return `${text.slice(0, start + MARKERS[0].length)}\n\n${tables(all)}\n\n${text.slice(end)}`;
}

function schema(text, all) {
  const parsed = JSON.parse(text);
  parsed.properties.op.enum = [...all.keys()];
  return JSON.stringify(parsed);
}

const all = await contracts();
for (const [name, generate] of [
  ['docs/kernels.md', document],
  ['schemas/kernel.schema.json', schema],
]) {
  const file = join(ROOT, name);
  const text = readFileSync(file, 'utf8');
  const wanted = await prettier.format(generate(text, all), { ...(await prettier.resolveConfig(file)), filepath: file });
  if (wanted === text) continue;
  if (process.argv.includes('--check')) {
    console.error(`${name} says something else than src/kernels/contracts.ts: run node scripts/contracts.mjs`);
    process.exitCode = 1;
  } else {
    writeFileSync(file, wanted);
    console.log(`wrote ${name}`);
  }
}
