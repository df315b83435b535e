// The Action's door: inputs in, gate, then files, outputs and GitHub out. It knows the order; what each step does lives in the folders.

import { once } from 'node:events';
import * as core from '@actions/core';
import { loadConfig } from './config/load.js';
import { UsageError } from './errors.js';
import { actionsCache } from './github/actions-cache.js';
import { annotate, MAX_ANNOTATIONS } from './github/annotations.js';
import { cancellation } from './github/cancel.js';
import type { Posting } from './github/inputs.js';
import { nameInput, readCache, readConfigInputs, readHubToken, readPosting } from './github/inputs.js';
import { createLog, plainLine } from './github/log.js';
import type { Outputs } from './github/outputs.js';
import { NO_REPORT, outputsOf } from './github/outputs.js';
import type { Desk } from './github/publish.js';
import { openDesk, postComment, postStatus } from './github/publish.js';
import { redactData, redactor } from './github/redact.js';
import { statusOfFailure, statusOfReport } from './github/status.js';
import { writeSummary } from './github/summary.js';
import { gateLine } from './report/rows.js';
import { renderTerminal } from './report/terminal.js';
import type { Report } from './report/types.js';
import { writeReport } from './report/write.js';
import { wasCancelled } from './verdict/cancelled.js';

/** Names of environment variables that hold secrets a job has anyway. */
const SECRETS = ['HF_TOKEN', 'ACTIONS_RUNTIME_TOKEN', 'ACTIONS_ID_TOKEN_REQUEST_TOKEN'];

function setOutputs(outputs: Outputs): void {
  for (const [name, value] of Object.entries(outputs)) core.setOutput(name, value);
}

function reasonOf(error: unknown): string {
  if (error instanceof UsageError) return error.message;
  return `the run itself failed: ${error instanceof Error ? error.message : String(error)}`;
}

async function main(): Promise<void> {
  const cancelled = cancellation();
  const token = core.getInput('github-token');
  const hfToken = readHubToken(core.getInput);
  const secrets = [token, hfToken, ...SECRETS.map((name) => process.env[name] ?? '')].filter((secret) => secret !== '');
  for (const secret of secrets) core.setSecret(secret);
  const redact = redactor(secrets);
  const log = createLog(core, redact);
  // First of all, so that they are there even if the runner has to kill this process.
  setOutputs(NO_REPORT);
  const desk = await openDesk(process.env, token, log, redact);
  let posting: Posting | null = null;
  try {
    posting = readPosting(core.getInput);
    const cache = readCache(core.getInput, process.env) ? actionsCache({ env: process.env, log: log.info }) : null;
    const config = await loadConfig({ ...readConfigInputs(core.getInput), cwd: process.cwd(), nameOverride: nameInput });
    // Loaded only now: a mistake in the configuration waits for no engine.
    const { check } = await import('./gate.js');
    const env = hfToken === '' ? process.env : { ...process.env, HF_TOKEN: hfToken };
    const report = redactData(
      await check(config, { log: (line) => log.info(line), env, signal: cancelled, ...(cache === null ? {} : { shared: cache }) }),
      redact,
    );
    await publish(report, config.output, posting, desk, cancelled);
    // After the verdict, which nobody should wait for, and least of all a job that is cancelled.
    if (cache === null || cancelled.aborted) return;
    await Promise.race([cache.saveAll(), once(cancelled, 'abort')]);
  } catch (error) {
    const reason = redact(reasonOf(error));
    if (posting !== null) await postStatus(statusOfFailure(reason), posting, desk);
    core.setFailed(reason.split('\n').map(plainLine).join('\n'));
    if (!(error instanceof UsageError) && error instanceof Error) core.debug(redact(error.stack ?? ''));
  }
}

/** Everything that is said about a report, in the order of who needs it most. */
async function publish(report: Report, folder: string, posting: Posting, desk: Desk, cancelled: AbortSignal): Promise<void> {
  const { log } = desk;
  const { files, problem } = await writeReport(report, folder).then(
    (written) => ({ files: written, problem: null }),
    (error: unknown) => ({ files: null, problem: desk.redact(error instanceof Error ? error.message : String(error)) }),
  );
  setOutputs(outputsOf(report, files));
  log.block(renderTerminal(report, { color: false }));
  await writeSummary(report, process.env['GITHUB_STEP_SUMMARY']).catch((error: unknown) => log.warning(`No job summary: ${String(error)}`));
  if (cancelled.aborted && wasCancelled(report.models)) {
    log.info('No comment and no commit status: the job was cancelled, and the run that takes its place writes them.');
    core.setFailed(`cancelled: ${gateLine(report)}`);
    return;
  }
  await postComment(report, posting, desk);
  await postStatus(problem === null ? statusOfReport(report) : statusOfFailure(problem), posting, desk);
  // One error is left for the last line, which says that the gate failed.
  annotate(report, core, { errors: MAX_ANNOTATIONS - 1, warnings: MAX_ANNOTATIONS - log.warnings() });
  if (problem !== null) core.setFailed(plainLine(problem));
  else if (report.gate === 'fail') core.setFailed(gateLine(report));
}

/** Nothing but a defect gets here; it fails the step in one line. */
process.on('uncaughtException', (error) => {
  core.setFailed(`the run itself failed: ${plainLine(error.message)}`);
  process.exit();
});

await main();
// A kept-alive connection or an idle worker must not hold the job; written first, because a pipe may lag behind.
process.stdout.write('', () => process.exit());
