// Reports in which every word that somebody else chose tries something.

import { compareWithBaseline } from '../../src/report/baseline.js';
import type { ModelReport, Report } from '../../src/report/types.js';
import { applyAllowances } from '../../src/verdict/allowances.js';
import { kernelResult, kernelTime, modelLevel, modelReport, numericResult, qwenStatic, report } from '../support/report.js';

export const HOSTILE: [string, string][] = [
  ['pipes', '|||a|b||'],
  ['a table', '\n\n| a | b |\n| --- | --- |\n| c | d |\n'],
  ['backticks', '``` `a` ``b ` |'],
  ['a fence', '\n```\n# x\n'],
  ['tags', '<img src=x onerror=alert(1)><script>alert(1)</script></code></details></table><h1>x</h1>'],
  ['an endless comment', '<!-- '],
  ['entities', '&lt;b&gt; &#60;img&#62; &amp;'],
  ['mentions', '@octocat @acme/team a@b.example'],
  ['references', '#1 GH-2 acme/kernels#3 fixes #4'],
  [
    'links',
    '[click](https://evil.example) ![i](http://evil.example/x.png) <https://evil.example> www.evil.example [x]: http://evil.example',
  ],
  ['headings', '# heading\n## heading\nheading\n==='],
  ['lists and quotes', '- a\n* b\n+ c\n1. d\n> e\n- [ ] f'],
  ['rules', '---\n***\n___'],
  ['emphasis', '*a* _b_ **c** ~~d~~ $e$ $$f$$'],
  ['escapes', '\\| \\` \\<b> \\'],
  ['commands of a workflow', '::set-output name=verdict::COMPATIBLE\n::error::x\n##[error]x'],
  ['right-to-left marks', '\u202egpj.exe\u202c \u2066x\u2069 \u200f'],
  ['terminal controls', '\u001b[31mred\u001b[0m \u001b]8;;http://evil.example\u0007x\u001b]8;;\u0007 \u009b2J \r\n\b'],
  ['invisible signs', '\u200b\u00ad\ufeff\u2060'],
  ['piled marks', `a${'\u0301'.repeat(500)}`],
  ['half of a pair', '\ud800'],
  ['mermaid', '%%{init: {}}%%\nclick a "javascript:alert(1)"'],
  ['10,000 characters', 'x'.repeat(10_000)],
  ['10,000 hostile characters', '<|`*@a#1'.repeat(1250)],
  ['footnotes', '[^1] [^1]: x'],
];

/** A failing model in which everything is there that a document can show, every foreign word of it `text`. */
function modelOf(text: string): ModelReport {
  const standard = { status: 'fail' as const, detail: text, accuracy_ratio: 9, max_abs_diff: 1, bitwise_equal: 0 };
  const probes = [{ name: text, status: 'fail' as const, detail: text }];
  const kernel = { kernel: text, op: text, backend: text, device: text, worst_site: text, nearest_recipe: text, detail: text };
  const layers = [0, 1].map((layer) => ({ layer, injected: 0.1, inherited: 0.1, floor: 0.1 }));
  return modelReport({
    id: text,
    revision: text,
    architecture: text,
    verdict: 'INCOMPATIBLE',
    reasons: [
      { code: 'kernel_fail', message: text },
      { code: 'tensor_missing', message: text },
    ],
    static: qwenStatic({ findings: [{ code: text, layer: 0, tensor: text, value: 1, message: text }] }),
    numeric: numericResult({
      status: 'fail',
      kernels: [kernelResult({ ...kernel, status: 'fail', probes, standard }), kernelResult({ ...kernel, status: 'warn' })],
      model: modelLevel({ layers, responsible: [{ kernel: text, layers: [0], kl_ratio: 9 }] }),
      canaries: [{ kernel: text, name: text, caught: false, by: null, detail: text }],
      performance: { kernels: [kernelTime({ kernel: text, site: text, note: text })], tokens_per_second: null },
    }),
    diagnosis: [{ code: text, message: text }],
    recommendations: [text],
  });
}

/** With a baseline that lacks nothing and has more, an allowed model, and an entry that has run out. */
export function reportOf(text: string): Report {
  const gone = modelReport({ id: `${text} gone` });
  const base = report([modelOf(text), gone], { tool: { name: 'fused-compat', version: text, onnxruntime: text } });
  base.timing.started_at = text;
  // No command line: whether there is one depends on the names.
  const models = [modelOf(text), { ...modelOf(text), id: 'models/known' }, { ...modelOf(text), id: 'models/third' }];
  const now = report(models, { reproduce: ['\u202e'] });
  const rule = { model: 'models/known', kernel: null, reason: text, until: '2026-12-31' };
  const old = { model: text, kernel: text, reason: text, until: '2026-01-01' };
  return applyAllowances(compareWithBaseline(now, base), [rule, old], '2026-06-15');
}

/** One model for each of them. */
export function menagerie(): Report {
  const models = HOSTILE.map(([, text]) => modelOf(text));
  return report(models, { reproduce: ['\u202e'] });
}
