// The commands of the documents, as a shell takes them in a checkout: each is one of the program's, with options that it has, about files that are
// there. What they print is not held here.

import { describe, expect, test } from '@jest/globals';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../src/cli/program.js';
import { REPOSITORY } from '../weights/made-files.js';
import { blocksIn, markdownFiles } from './blocks.js';

const PROGRAM = /^(?:node dist\/cli\.js|fused-compat) /;
/** A model of the Hub, as published ones are called. */
const HUB = /^[A-Z][\w-]*\/[\w.-]+$/;

/** The words that a shell makes of a line: names matched, comments dropped. */
function wordsOf(line: string): string[] {
  const text = execFileSync('sh', ['-c', `printf '%s\\n' ${line}`], { cwd: REPOSITORY, encoding: 'utf8' });
  return text.trimEnd().split('\n');
}

async function helpOf(command: string): Promise<string> {
  let text = '';
  const output = { write: (piece: string) => (text += piece) };
  const loadGate = () => Promise.reject(new Error('no engine is needed'));
  await run([command, '--help'], { stdout: output, stderr: output, env: {}, cwd: REPOSITORY, loadGate });
  return text;
}

/** What is wrong with a command; empty: nothing. */
async function faultsOf(line: string): Promise<string[]> {
  const [command = '', ...words] = wordsOf(line.replace(PROGRAM, ''));
  const help = await helpOf(command);
  if (!help.includes(`Usage: fused-compat ${command} `)) return [`there is no command ${command}`];
  const options = words.filter((word) => word.startsWith('--') && !help.includes(`${word} `));
  const paths = words.filter((word) => word.includes('/') && !HUB.test(word) && !existsSync(join(REPOSITORY, word)));
  return [...options.map((word) => `there is no option ${word}`), ...paths.map((word) => `there is no ${word}`)];
}

const commands = markdownFiles().flatMap((path) =>
  blocksIn(path).flatMap(({ place, text }) =>
    text
      .split('\n')
      .filter((line) => PROGRAM.test(line))
      .map((line): [string, string] => [place, line]),
  ),
);

describe('a command of a document', () => {
  test.each(commands)('%s: %s', async (_, line) => {
    expect(await faultsOf(line)).toEqual([]);
  });

  test('is found where it stands', () => {
    const files = new Set(commands.map(([place]) => place.replace(/,.*/, '')));
    expect([...files].sort()).toEqual(['README.md', 'examples/implementations/README.md']);
  });

  test.each([
    ['fused-compat judge examples/models/qwen3-mini', 'there is no command judge'],
    ['fused-compat check examples/models/qwen3-mini --kernel kernels/cuda', 'there is no option --kernel'],
    ['node dist/cli.js inspect models/* # all of them', 'there is no models/*'],
  ])('that could not be run is told: %s', async (line, fault) => {
    expect(await faultsOf(line)).toEqual([fault]);
  });
});
