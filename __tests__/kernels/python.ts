// Python interpreters for the tests: one that can import NumPy, and one of any kind.

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export const HELPER_FOLDER = fileURLToPath(new URL('../../kernels/python', import.meta.url));

/** Where `import fused_compat` works; writes nothing into the repository. */
export const PYTHON_ENV = { PYTHONPATH: HELPER_FOLDER, PYTHONDONTWRITEBYTECODE: '1' };

function interpreter(statement: string): string | null {
  const works = (program: string) => spawnSync(program, ['-c', statement], { stdio: 'ignore' }).status === 0;
  return ['python3', '/usr/bin/python3'].find(works) ?? null;
}

/** null: tests that need it are skipped, and say so. */
export const PYTHON = interpreter('pass');
export const NUMPY_PYTHON = interpreter('import numpy');

if (NUMPY_PYTHON === null) {
  process.stderr.write(
    'NOT RUN: the tests of Python kernels, because no python3 here can import NumPy (Debian: apt-get install python3-numpy)\n',
  );
}
