// Runs the tests and every other check of the repository, counts, and prints `N passed, N failed` as the last line.
// Exit code 1 on any failure, or when jest ran no test.

import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, lstatSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const TREE_LIMIT = 40 * 2 ** 20;

/** Runs an npm script; true when it succeeded. */
function npm(...args) {
  // The notices npm prints about itself are not ours to repeat.
  return spawnSync('npm', ['--silent', 'run', ...args], { cwd: ROOT, stdio: ['ignore', 'inherit', 'inherit'] }).status === 0;
}

/** Runs an npm script; whether it succeeded, and what it printed: several run at once. */
function quietly(...args) {
  return new Promise((resolve) => {
    const child = spawn('npm', ['--silent', 'run', ...args], { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (output += text));
    child.on('error', (error) => resolve({ passed: false, output: `${error.message}\n` }));
    child.on('close', (code) => resolve({ passed: code === 0, output }));
  });
}

/** The tests of Python kernels need a python3 with NumPy; on a bare Debian or Ubuntu its package is installed. Without it they are skipped. */
function ensureNumPy() {
  const has = () =>
    ['python3', '/usr/bin/python3'].some((program) => spawnSync(program, ['-c', 'import numpy'], { stdio: 'ignore' }).status === 0);
  if (has()) return;
  const apt = (...args) => {
    const command = [...(process.getuid?.() === 0 ? [] : ['sudo', '-n']), 'apt-get', '-qq', ...args];
    const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
    return spawnSync(command[0], command.slice(1), { env, stdio: ['ignore', 'ignore', 'inherit'], timeout: 300_000 }).status === 0;
  };
  // Where the lists are fresh, the first line is enough.
  const install = ['install', '-y', '--no-install-recommends', 'python3-numpy'];
  if (!apt(...install) && apt('update')) apt(...install);
  if (!has()) console.log('NumPy could not be installed (apt-get install python3-numpy): the tests of Python kernels do not run');
}

/** Runs jest; gives its numbers. A test file that could not run at all counts as one failed test. */
function tests() {
  const folder = mkdtempSync(join(tmpdir(), 'ci-'));
  const file = join(folder, 'jest.json');
  try {
    const succeeded = npm('test', '--', '--json', `--outputFile=${file}`);
    if (!existsSync(file)) return { passed: 0, failed: 1 };
    const { numPassedTests, numFailedTests, numRuntimeErrorTestSuites } = JSON.parse(readFileSync(file, 'utf8'));
    const failed = numFailedTests + numRuntimeErrorTestSuites;
    return { passed: numPassedTests, failed: failed === 0 && (!succeeded || numPassedTests === 0) ? 1 : failed };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Bytes of all tracked files, as they lie in a checkout. */
function treeIsSmall() {
  const names = execFileSync('git', ['ls-files', '-z'], { cwd: ROOT, encoding: 'utf8' }).split('\0').filter(Boolean);
  const bytes = names.reduce((sum, name) => sum + (lstatSync(join(ROOT, name), { throwIfNoEntry: false })?.size ?? 0), 0);
  console.log(`${names.length} tracked files, ${(bytes / 2 ** 20).toFixed(1)} MiB of at most ${TREE_LIMIT / 2 ** 20} MiB`);
  return bytes < TREE_LIMIT;
}

const CHECKS = {
  lint: () => quietly('lint'),
  format: () => quietly('format:check'),
  typecheck: () => quietly('typecheck'),
  'check-dist': () => quietly('check-dist'),
  'check-ptx': () => quietly('check-ptx'),
  'tree size': async () => ({ passed: treeIsSmall(), output: '' }),
};

ensureNumPy();
const total = tests();
// Each is one process that takes one core: as many at once as there are.
const names = Object.keys(CHECKS);
const inTurn = async () => {
  for (let name = names.shift(); name !== undefined; name = names.shift()) {
    const { passed, output } = await CHECKS[name]();
    console.log(`\n== ${name}\n${output}${name}: ${passed ? 'passed' : 'FAILED'}`);
    if (passed) total.passed += 1;
    else total.failed += 1;
  }
};
await Promise.all(Array.from({ length: availableParallelism() }, inTurn));
process.exitCode = total.failed === 0 ? 0 : 1;
console.log(`\n${total.passed} passed, ${total.failed} failed`);
