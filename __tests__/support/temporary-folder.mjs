// One folder for everything that a run of the tests leaves in the system's temporary folder, in its tests and in the programs that they start: jest
// calls this before the first worker starts.

import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export default function setUp() {
  // Short: paths of some tests are as long as messages show them whole.
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'fc-tests-')));
  process.env['TMPDIR'] = folder;
  // At the very end, when no worker writes there any more.
  process.once('exit', () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));
}
