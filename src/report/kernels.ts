// The list of kernels under test for a terminal. What their runs gave is in the report.

import { basename } from 'node:path';
import Table from 'cli-table3';
import { plainName } from './escape.js';

/** What a kernel manifest says; src/kernels/manifest.ts has validated it. */
export interface ListedKernel {
  readonly name: string;
  readonly op: string;
  readonly dtypes: readonly string[];
  readonly backend: string;
  readonly operator?: string;
  readonly model?: string;
}

/** A table of kernels; foreign text in it is free of control characters. */
export function renderKernels(kernels: readonly ListedKernel[]): string {
  const table = new Table({ head: ['kernel', 'op', 'backend', 'runs', 'dtypes'], style: { head: [], border: [] } });
  for (const { name, op, backend, operator, model, dtypes } of kernels) {
    table.push([name, op, backend, operator ?? basename(model ?? ''), dtypes.join(', ')].map((cell) => plainName(cell)));
  }
  return `${table.toString()}\n`;
}
