// What the baseline and the configuration's known failures add to a report, in words; the caller makes them harmless for where they go.

import { count } from './numbers.js';
import { ratioStep } from './rows.js';
import type { Change, KernelBaseline, KernelResult, ModelReport, Report } from './types.js';

/** Lines and names of one kind. */
const SHOWN = 10;
const ORDER: readonly Change[] = ['worse', 'new', 'better', 'same'];

/** Text of this program, and names and words of others in it. */
export type Phrase = readonly (string | { readonly name: string } | { readonly words: string })[];

/** A kernel against the baseline: `worse: was pass, 1.20× → 812×`, `same, 1.20× → 1.21×`, `new`. */
export function kernelChange({ kernels }: { kernels: readonly KernelBaseline[] }, index: number, kernel: KernelResult): string {
  const baseline = kernels[index];
  if (baseline === undefined) return '';
  const was = baseline.status === null || baseline.status === kernel.status ? '' : `: was ${baseline.status}`;
  const now = [kernel.accuracy_ratio, kernel.max_ratio].filter((ratio) => ratio !== null);
  return baseline.change + was + ratioStep(baseline.noise_ratio, now.length === 0 ? null : Math.max(...now));
}

/** `allowed until 2026-12-31: its reason`. */
export function allowance({ allowed }: ModelReport): Phrase | null {
  if (allowed === null) return null;
  const kernels = (allowed.kernels ?? []).slice(0, SHOWN).flatMap((name, index) => [index === 0 ? ' for ' : ', ', { name }]);
  return ['allowed', ...kernels, ` until ${allowed.until}: `, { words: allowed.reason }];
}

/** What the whole report has to say: entries of `allow` without effect, and the comparison in one line. */
export function notes(report: Report): Phrase[] {
  return [...allowNotes(report), ...baselineNotes(report)];
}

function allowNotes({ allow }: Report): Phrase[] {
  const idle = allow.filter(({ status }) => status !== 'used');
  // Those that let a failure through again come first.
  const ordered = [...idle.filter(({ status }) => status === 'expired'), ...idle.filter(({ status }) => status === 'unused')];
  const lines = ordered.slice(0, SHOWN).map(({ model, kernel, status, detail, reason }): Phrase => {
    const subject = kernel === null ? [{ name: model }] : [{ name: kernel }, ' in ', { name: model }];
    return [
      `⚠️ \`allow\` entry for `,
      ...subject,
      ' (',
      { words: reason },
      ')',
      ` ${status === 'unused' ? 'has no effect: ' : ''}`,
      { words: detail ?? '' },
      '.',
    ];
  });
  return idle.length <= SHOWN
    ? lines
    : [...lines, [`… and ${count(idle.length - SHOWN, 'more such entry', 'more such entries')} in report.json.`]];
}

function baselineNotes({ baseline, models }: Report): Phrase[] {
  if (baseline === null) return [];
  if (baseline.problem !== null) return [['⚠️ No comparison with the baseline: ', { words: baseline.problem }, '.']];
  const changes = models.map((model) => model.baseline?.change);
  const counts = ORDER.map((change) => [changes.filter((entry) => entry === change).length, change] as const);
  const shown = counts.filter(([number]) => number > 0).map(([number, change]) => `${number} ${change}`);
  const made = baseline.started_at === null ? [] : [' of ', { words: baseline.started_at }];
  const gone = baseline.missing_models;
  const names = gone.slice(0, SHOWN).flatMap((name, index) => [index === 0 ? ' Gone since then: ' : ', ', { name }]);
  const more = gone.length > SHOWN ? [` and ${gone.length - SHOWN} more`] : [];
  return [['Against the baseline', ...made, `: ${shown.join(', ')}.`, ...names, ...more, ...(gone.length > 0 ? ['.'] : [])]];
}
