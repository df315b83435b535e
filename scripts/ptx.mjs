// Compiles every kernels/cuda/**/*.cu to the .ptx beside it. `--check` changes nothing: it compares what each .ptx says about its source with the
// source, and, where the nvcc that made it is on the PATH, compiles again and compares every byte.

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** bfloat16 products, ldmatrix and cp.async need sm_80; newer GPUs compile the same PTX. */
const ARCHITECTURE = 'compute_80';
/**
 * nvcc writes its own PTX version, which only a driver of its age loads. The instructions used are all in 7.0, the first with sm_80 (CUDA 11.0, driver
 * 450); ptxas checks that against the version, and so does this script.
 */
const PTX_VERSION = '7.0';
/** No fast math, and the same bits wherever the checkout lies. */
const FLAGS = ['-ptx', `-arch=${ARCHITECTURE}`, '-std=c++17', '-Werror', 'all-warnings'];

function sources(folder) {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.cu'))
    .map((name) => join(folder, name))
    .sort();
}

/** `13.0.88`, or null where there is no nvcc. */
function nvccVersion() {
  try {
    return /V(\d+\.\d+\.\d+)/.exec(execFileSync('nvcc', ['--version'], { encoding: 'utf8' }))?.[1] ?? null;
  } catch (error) {
    if (error.code === 'ENOENT') return null;
    throw error;
  }
}

function header(source, version) {
  const hash = createHash('sha256').update(readFileSync(source)).digest('hex');
  return [
    '// Made by scripts/ptx.mjs (npm run ptx). Do not edit.',
    `// source ${basename(source)} sha256 ${hash}`,
    `// nvcc ${version} ${ARCHITECTURE}`,
  ];
}

function compile(source, version) {
  const folder = mkdtempSync(join(tmpdir(), 'ptx-'));
  try {
    // In its own folder and by its bare name: paths must not reach the output.
    execFileSync('nvcc', [...FLAGS, '-o', join(folder, 'out.ptx'), basename(source)], {
      cwd: dirname(source),
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    const lines = readFileSync(join(folder, 'out.ptx'), 'utf8').split('\n');
    const kept = lines.map((line) => line.replace(/\/\/.*$/, '').trim()).filter((line) => line !== '');
    const text = [...header(source, version), ...kept, ''].join('\n').replace(/^\.version .*$/m, `.version ${PTX_VERSION}`);
    writeFileSync(join(folder, 'out.ptx'), text);
    execFileSync('ptxas', ['-arch=sm_80', '-o', join(folder, 'out.cubin'), join(folder, 'out.ptx')], {
      stdio: ['ignore', 'inherit', 'inherit'],
    });
    return text;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function ptxOf(source) {
  return source.replace(/\.cu$/, '.ptx');
}

function build(folder) {
  const version = nvccVersion();
  if (version === null) throw new Error('nvcc is not on the PATH; it comes with the CUDA toolkit');
  for (const source of sources(folder)) {
    writeFileSync(ptxOf(source), compile(source, version));
    console.log(`${relative(ROOT, ptxOf(source))} made with nvcc ${version}`);
  }
}

/** What is wrong with the .ptx of a source; null: nothing. */
function problem(source, version) {
  let text;
  try {
    text = readFileSync(ptxOf(source), 'utf8');
  } catch {
    return 'is missing; run npm run ptx';
  }
  const lines = text.split('\n');
  const madeWith = /^\/\/ nvcc (\S+) /.exec(lines[2] ?? '')?.[1];
  if (madeWith === undefined) return 'does not say what made it; run npm run ptx';
  const expected = header(source, madeWith);
  if (lines[1] !== expected[1]) return `was made from another ${basename(source)}; run npm run ptx`;
  if (lines[2] !== expected[2]) return `was made for another architecture than ${ARCHITECTURE}; run npm run ptx`;
  if (madeWith === version && compile(source, version) !== text)
    return `is not what nvcc ${version} makes of ${basename(source)}; run npm run ptx`;
  return null;
}

function check(folder) {
  const version = nvccVersion();
  const found = sources(folder);
  if (found.length === 0) throw new Error(`no .cu below ${folder}`);
  const tally = { compiled: 0, hashed: 0, failed: 0 };
  for (const source of found) {
    const wrong = problem(source, version);
    const name = relative(ROOT, ptxOf(source));
    if (wrong !== null) {
      tally.failed += 1;
      console.error(`${name} ${wrong}`);
    } else if (readFileSync(ptxOf(source), 'utf8').split('\n')[2] === header(source, version)[2]) {
      tally.compiled += 1;
    } else {
      tally.hashed += 1;
    }
  }
  const here = version === null ? 'no nvcc on the PATH' : `nvcc ${version} on the PATH`;
  console.log(
    `${tally.compiled} .ptx compiled again and equal to the last byte, ${tally.hashed} only compared by the hash of their source (${here}), ${tally.failed} wrong`,
  );
  return tally.failed === 0;
}

const [first, second] = process.argv.slice(2);
const checking = first === '--check';
const folder = resolve((checking ? second : first) ?? join(ROOT, 'kernels/cuda'));
try {
  if (!checking) build(folder);
  else if (!check(folder)) process.exitCode = 1;
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
