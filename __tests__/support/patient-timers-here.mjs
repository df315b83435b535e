// Loaded before the program of a child process of the tests: see patient-timers.mjs.
import { syncBuiltinESMExports } from 'node:module';
import promises from 'node:timers/promises';
import { makePatient } from './patient-timers.mjs';

makePatient(globalThis);
const start = globalThis.setTimeout;
promises.setTimeout = (ms, value) => new Promise((resolve) => start(resolve, ms, value));
syncBuiltinESMExports();
