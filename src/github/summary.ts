// The job summary: the report on the run's own page. It needs no permission, so it is there on forks too.

import { appendFile, stat } from 'node:fs/promises';

import { renderMarkdown } from '../report/markdown.js';
import type { Report } from '../report/types.js';
import { origin } from './comment.js';
import type { Event } from './event.js';

/** Bytes per step; the runner drops a larger file as a whole (actions/runner, AttachmentSizeLimit). */
const MAX_SUMMARY_BYTES = 1024 * 1024;

/**
 * Appends the report to the summary file of this step (`GITHUB_STEP_SUMMARY`).
 * @returns false where the runner offers no such file
 * @throws Error of the file system
 */
export async function writeSummary(report: Report, file: string | undefined, event: Event | null = null): Promise<boolean> {
  if (file === undefined || file === '') return false;
  // An earlier command of a composite action may have written to it.
  const used = await stat(file).then(
    ({ size }) => size,
    () => 0,
  );
  const before = used > 0 ? '\n\n' : '';
  const after = event === null ? '\n' : `\n\n${origin(report, event)}\n`;
  const budget = MAX_SUMMARY_BYTES - used - before.length - Buffer.byteLength(after);
  await appendFile(file, `${before}${renderMarkdown(report, { budget }).trimEnd()}${after}`);
  return true;
}
