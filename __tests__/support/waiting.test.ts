// Limits of the tests' own processes on a machine that stands still.

import { expect, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { ended, PATIENT_CHILD, until } from './waiting.js';

// Waits a second for a word.
const WAITING = `
const limit = setTimeout(() => { console.log('too late'); process.exit(); }, 1000);
process.stdin.once('data', (word) => { clearTimeout(limit); console.log('heard ' + word); process.exit(); });
console.log('ready');
`;

/** What the program says last when it is stopped for longer than its limit, and hears a word soon after it goes on. */
async function heard(NODE_OPTIONS: string, word: string | null): Promise<string> {
  const child = spawn(process.execPath, ['-e', WAITING], { env: { ...process.env, NODE_OPTIONS } });
  let said = '';
  child.stdout.on('data', (text: Buffer) => (said += text.toString()));
  const end = ended(child);
  await until('the program', () => said !== '');
  child.kill('SIGSTOP');
  await new Promise((resolve) => setTimeout(resolve, 1500));
  child.kill('SIGCONT');
  await new Promise((resolve) => setTimeout(resolve, 200));
  child.stdin.on('error', () => undefined).end(word ?? undefined);
  return (await end).stdout.trim();
}

test('are not used up by the time in which it stood still', async () => {
  expect(await heard(PATIENT_CHILD, 'this')).toBe('ready\nheard this');
});

test('are used up by plain timers, and end a patient process too when nothing comes', async () => {
  expect(await heard('', 'this')).toBe('ready\ntoo late');
  expect(await heard(PATIENT_CHILD, null)).toBe('ready\ntoo late');
});
