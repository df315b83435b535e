// One run for all who ask before it begins.

import { expect, test } from '@jest/globals';
import { joined } from '../../src/hub/joined.js';

/** Runs that end when they are told to, in order. */
function runs() {
  const open: { end: () => void; fail: (error: Error) => void }[] = [];
  let started = 0;
  const ask = joined(() => {
    started++;
    return new Promise((end, fail) => open.push({ end, fail }));
  });
  return { ask, started: () => started, end: () => open.shift()?.end(), fail: (error: Error) => open.shift()?.fail(error) };
}

const aMoment = () => new Promise((resolve) => setImmediate(resolve));

test('all who ask before it begins share one run', async () => {
  const { ask, started, end } = runs();
  const asked = [ask(), ask(), ask()];
  await aMoment();
  expect(started()).toBe(1);
  end();
  await Promise.all(asked);
  expect(started()).toBe(1);
});

test('who asks while it runs gets the next run, which begins when that one has ended', async () => {
  const { ask, started, end } = runs();
  const first = ask();
  await aMoment();
  const told: string[] = [];
  const later = [ask(), ask()].map((one) => one.then(() => told.push('later')));
  await aMoment();
  expect(started()).toBe(1);
  end();
  await first;
  await aMoment();
  expect([started(), told]).toEqual([2, []]);
  end();
  await Promise.all(later);
  expect([started(), told]).toEqual([2, ['later', 'later']]);
});

test('a run that fails fails for those who asked for it only', async () => {
  const { ask, end, fail } = runs();
  const first = [ask(), ask()];
  await aMoment();
  const later = ask();
  fail(new Error('changed'));
  for (const one of first) await expect(one).rejects.toThrow('changed');
  await aMoment();
  end();
  await later;
});
