#!/usr/bin/env node
// The command line's door: hands the process to the program and its exit code back. What the commands do lives in cli/ and gate.ts.

import { plain } from './report/escape.js';
import { run } from './cli/program.js';

/** A reader that has seen enough (`| head`) is no failure: the exit code still says what the gate said. */
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') process.exit(3);
  });
}

/** Nothing but a defect gets here; a user still sees one line. */
process.on('uncaughtException', (error) => {
  process.stderr.write(`error: internal error: ${plain(error.message)}\n`);
  if (process.env['FUSED_COMPAT_DEBUG'] === '1') process.stderr.write(`${error.stack ?? ''}\n`);
  process.exit(3);
});

process.exitCode = await run(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  cwd: process.cwd(),
  loadGate: () => import('./gate.js'),
});
// An idle worker or a kept-alive connection must not hold the shell; written first, because a pipe may lag behind.
process.stdout.write('', () => process.exit());
