// Makes node_modules match package-lock.json: `npm ci` where it is missing or older, nothing where it is current.

import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

function changedAt(path) {
  return statSync(new URL(`../${path}`, import.meta.url), { throwIfNoEntry: false })?.mtimeMs;
}

// npm writes this file last, so an install that was broken off does not count.
const installed = changedAt('node_modules/.package-lock.json');
if (installed === undefined || installed < changedAt('package-lock.json')) {
  console.error('Installing the packages of package-lock.json ...');
  const { status } = spawnSync('npm ci --no-progress', { cwd: ROOT, stdio: 'inherit', shell: true });
  process.exitCode = status ?? 1;
}
