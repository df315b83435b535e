// What lies below the folders that artifacts were unpacked to: plans, reports of shards, whole reports. Any of it may have been written by a
// stranger's job. Whether it belongs together is merge.ts's business.

import type { Dirent } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { UsageError } from '../errors.js';
import { quote } from '../hub/names.js';
import { asReport, FileProblem, readJsonFile, REPORT_BYTES } from '../report/read.js';
import type { Report } from '../report/types.js';
import type { Plan } from './plan.js';
import { asPlan, PLAN_BYTES } from './shard.js';

/** An artifact's folder, and a report's folder in it; two more for good measure. */
const DEPTH = 4;
const ENTRIES = 20_000;
/** Plans and reports together; 256 shards of 1000 models in all have less. */
const TOTAL_BYTES = 512 * 2 ** 20;

export interface ArrivedReport {
  /** Path below the working directory, for messages. */
  readonly file: string;
  readonly report: Report;
  readonly bytes: Buffer;
}

export interface Arrived {
  readonly plans: { readonly file: string; readonly plan: Plan }[];
  readonly reports: ArrivedReport[];
  /** One line for each file that is not used. */
  readonly refused: string[];
}

/**
 * All plan.json and report.json below `folders`.
 * @throws UsageError when a folder is not there or holds more than artifacts would
 */
export async function readArrived(folders: readonly string[], cwd: string): Promise<Arrived> {
  const arrived: Arrived = { plans: [], reports: [], refused: [] };
  const files = new Set<string>();
  const budget = { entries: ENTRIES, bytes: TOTAL_BYTES };
  for (const folder of folders) {
    const path = resolve(cwd, folder);
    if (!(await stat(path).catch(() => null))?.isDirectory())
      throw new UsageError(`${quote(folder)} is no folder: no artifact was downloaded to it, so nothing can be joined`);
    await collect(path, 0, files, budget, folder);
  }
  for (const path of [...files].sort()) await take(path, relative(cwd, path), arrived, budget);
  return arrived;
}

async function collect(folder: string, depth: number, files: Set<string>, budget: { entries: number }, named: string): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((): Dirent[] => []);
  budget.entries -= entries.length;
  if (budget.entries < 0)
    throw new UsageError(`${quote(named)} holds more than ${ENTRIES} files; give the folder that holds nothing but the artifacts`);
  for (const entry of entries) {
    const path = join(folder, entry.name);
    // A link is neither: it is not followed.
    if (entry.isDirectory() && depth < DEPTH) await collect(path, depth + 1, files, budget, named);
    else if (!entry.isDirectory() && (entry.name === 'report.json' || entry.name === 'plan.json')) files.add(path);
  }
}

async function take(path: string, file: string, { plans, reports, refused }: Arrived, budget: { bytes: number }): Promise<void> {
  const isReport = path.endsWith('report.json');
  try {
    const { value, bytes } = await readJsonFile(path, Math.min(isReport ? REPORT_BYTES : PLAN_BYTES, budget.bytes));
    budget.bytes -= bytes.length;
    if (isReport) reports.push({ file, report: asReport(value), bytes });
    else plans.push({ file, plan: asPlan(value) });
  } catch (error) {
    if (!(error instanceof FileProblem)) throw error;
    refused.push(`${quote(file)} ${error.message}`);
  }
}
