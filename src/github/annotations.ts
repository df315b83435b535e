// One annotation per model that needs a look: error where its verdict fails the gate, warning where it does not.

import { plainName } from '../report/escape.js';
import { isFailing } from '../report/rows.js';
import type { ModelReport, Report } from '../report/types.js';
import { plainLine } from './log.js';

/** The runner shows ten of a kind per step and drops the rest without a word (actions/runner, _maxCountPerIssueType). */
export const MAX_ANNOTATIONS = 10;
/** Characters; the runner cuts there (_maxIssueMessageLength). */
const MAX_MESSAGE = 4096;

/** Characters of a name: it must not take the room of the reasons. */
const MAX_NAME = 200;

/** The part of `@actions/core` that annotates; it escapes what a workflow command needs escaped. */
export interface Annotator {
  error(message: string, properties: { title: string }): void;
  warning(message: string, properties: { title: string }): void;
}

/** Lines of foreign text, each made plain, cut to what the runner keeps. */
function message(lines: string[]): string {
  const text = lines.map(plainLine).join('\n');
  return text.length <= MAX_MESSAGE ? text : `${text.slice(0, MAX_MESSAGE - 1)}…`;
}

function annotateKind(models: ModelReport[], room: number, emit: (text: string, properties: { title: string }) => void): void {
  if (models.length === 0 || room <= 0) return;
  const single = models.length > room ? models.slice(0, room - 1) : models;
  for (const model of single) {
    emit(message([plainName(plainLine(model.id), MAX_NAME), ...model.reasons.map((reason) => reason.message)]), {
      title: `fused-compat: ${model.verdict}`,
    });
  }
  const rest = models.slice(single.length);
  if (rest.length === 0) return;
  const names = rest.map(({ id, verdict }) => `${plainName(plainLine(id), MAX_NAME)}: ${verdict}`);
  emit(message([`${rest.length} more models`, ...names]), { title: `fused-compat: ${rest.length} more` });
}

/**
 * Annotates the report's models.
 * @param room how many of each kind may still be given in this step
 */
export function annotate(report: Report, annotator: Annotator, room: { errors: number; warnings: number }): void {
  const failing = report.models.filter((model) => isFailing(model, report));
  const noted = report.models.filter((model) => model.verdict !== 'COMPATIBLE' && !isFailing(model, report));
  annotateKind(failing, room.errors, (text, properties) => annotator.error(text, properties));
  annotateKind(noted, room.warnings, (text, properties) => annotator.warning(text, properties));
}
