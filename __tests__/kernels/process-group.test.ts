// Programs and what they start, ended as one: real processes, found by the environment they were started with and by whose children they are.

import { describe, expect, test } from '@jest/globals';
import { readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { startGroup } from '../../src/kernels/process-group.js';
import { until } from '../support/waiting.js';

/** States of the children of a process: `S` sleeps, `Z` has ended and was not waited for. */
function childrenOf(parent: number): string {
  const states = readdirSync('/proc').map((name) => {
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
      const [state = '', of] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return Number(of) === parent ? state : '';
    } catch {
      return '';
    }
  });
  return states.join('');
}

describe('the end of a program tells how many others there were', () => {
  test.each([
    ['one that it started', 'sleep 1000 & exec sleep 1000', 'S', 1],
    ['one in a session of its own', 'setsid sleep 1000 & exec sleep 1000', 'S', 1],
    ['one in a session of its own with an environment of its own', 'setsid env -i sleep 1000 & exec sleep 1000', 'S', 1],
    ['two', 'sleep 1000 & sleep 1000 & exec sleep 1000', 'SS', 2],
    ['none: what had ended by itself does not count', 'true & exec sleep 1000', 'Z', 0],
    ['none', 'exec sleep 1000', '', 0],
  ])('%s', async (_, script, states, left) => {
    const { child, kill } = startGroup(['sh', '-c', script], { cwd: tmpdir(), env: { PATH: process.env['PATH'] ?? '' } });
    const pid = child.pid as number;
    const ended = new Promise<NodeJS.Signals | null>((resolve) => child.once('exit', (_code, signal) => resolve(signal)));
    const name = (of: number) => readFileSync(`/proc/${of}/comm`, 'latin1').trim();
    await until('the program and its children', () => name(pid) === 'sleep' && childrenOf(pid) === states);
    expect(kill()).toBe(left);
    expect(await ended).toBe('SIGKILL');
    expect(childrenOf(pid)).toBe('');
  });
});
