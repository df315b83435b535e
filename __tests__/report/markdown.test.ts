import { describe, expect, it } from '@jest/globals';
import { readFileSync, writeFileSync } from 'node:fs';
import { micromark } from 'micromark';
import { gfm, gfmHtml } from 'micromark-extension-gfm';
import { renderMarkdown } from '../../src/report/markdown.js';
import type { ModelReport } from '../../src/report/types.js';
import { kernelResult, modelReport, numericResult, report } from '../support/report.js';
import { failing, hostile, passing, sensitive, story, watched } from './sample.js';

const documents = new URL('./documents/', import.meta.url);

/** The document as kept in documents/; UPDATE_DOCUMENTS=1 writes it anew, to be read before it is committed. */
function kept(name: string, text: string): string {
  const file = new URL(name, documents);
  if (process.env['UPDATE_DOCUMENTS'] === '1') writeFileSync(file, text);
  return readFileSync(file, 'utf8');
}

/** As GitHub would render it: GFM, raw HTML included. */
function rendered(markdown: string): string {
  return micromark(markdown, { allowDangerousHtml: true, allowDangerousProtocol: true, extensions: [gfm()], htmlExtensions: [gfmHtml()] });
}

const bytes = (text: string): number => Buffer.byteLength(text);

describe('renderMarkdown', () => {
  it('is the document that was reviewed, for the published story', () => {
    const text = renderMarkdown(story());
    expect(text).toBe(kept('story.md', text));
  });

  it('is the document that was reviewed, for a static inspection', () => {
    const models = [
      { ...sensitive, numeric: null, verdict: 'INCOMPATIBLE' as const, reasons: sensitive.reasons.slice(1), recommendations: [] },
      {
        ...passing,
        numeric: null,
        reasons: [{ code: 'static_compatible' as const, message: 'Static check COMPATIBLE, score 1.00: no Q/K norm in 22 layers.' }],
      },
    ];
    const text = renderMarkdown(report(models, { policy: 'static' }));
    expect(text).toBe(kept('inspect.md', text));
  });

  it('is the document that was reviewed, for hostile names', () => {
    const text = renderMarkdown(report([hostile]));
    expect(text).toBe(kept('hostile.md', text));
  });

  it('starts with the verdict and puts failing rows first', () => {
    const lines = renderMarkdown(report([passing, sensitive, failing])).split('\n');
    expect(lines[0]).toBe('## ❌ fused-compat gate failed: 1 INCOMPATIBLE, 1 WARNING, 1 COMPATIBLE');
    expect(lines.filter((line) => /^\| `models/.test(line)).map((line) => line.split('`')[1])).toEqual([
      'models/ernie45-mini',
      'models/qwen3-mini',
      'models/tinyllama-mini',
    ]);
  });

  it('says in one line that all canaries were caught, and which one was not, as text', () => {
    expect(renderMarkdown(report([passing]))).not.toContain('canar');
    const all = renderMarkdown(report([watched([true, true])]));
    expect(all).toContain('<sub>2 canaries planted, 2 caught; smallest scale error that could be seen: 0.13%.</sub>');
    expect(all).not.toContain('no_causal_mask');
    const one = renderMarkdown(report([watched([true, false])]));
    expect(one).toContain('2 canaries planted, 1 caught');
    expect(one).toContain(
      '- `no_causal_mask` beside `ort-attention` was not caught: layer 3 self_attn.attention, the causal mask left out &lt;b&gt;',
    );
  });

  it('puts what fail-on names first even if other verdicts are worse', () => {
    const text = renderMarkdown(report([failing, sensitive], { fail_on: ['WARNING'] }));
    expect(text.indexOf('| `models/qwen3-mini`')).toBeLessThan(text.indexOf('| `models/ernie45-mini`'));
  });

  it('says so when the gate passes, and when it never fails', () => {
    expect(renderMarkdown(report([passing]))).toMatch(/^## ✅ fused-compat gate passed: 1 COMPATIBLE\n/);
    expect(renderMarkdown(report([failing], { fail_on: [], gate: 'pass' }))).toMatch(
      /^## ✅ fused-compat gate passed \(fail-on: never\): 1 INCOMPATIBLE\n/,
    );
  });

  it('shows what was not measured as a dash and a missing norm as none', () => {
    const unmeasured = renderMarkdown(report([modelReport({ static: null, numeric: null })]));
    expect(unmeasured).toContain('| – | – | – | – | – | – | – |');
    expect(renderMarkdown(report([modelReport({ numeric: null })]))).toContain('| none | none | 1.00 | – | – | – | – |');
  });

  it('says which kernels fail only where the models do not say it as well', () => {
    const bad = (id: string) => ({ ...failing, id });
    const of = (ids: string[], fine = 0) => renderMarkdown(report([...ids.map(bad), ...Array<ModelReport>(fine).fill(passing)]));
    expect(of(['a', 'b'])).not.toContain('Kernels that fail');
    expect(of(['a', 'b', 'c'], 1)).toContain('| `braid-rope` | `rope` | 3 of 4 | 812× | `a` |\n');
    expect(of(['a', 'b', 'c'])).not.toMatch(/^\| `ort-attention` \| `attention` \| \d of/m);
    const many = Array.from({ length: 12 }, (_, index) =>
      kernelResult({ kernel: `k${index}`, status: 'fail', accuracy_ratio: null, max_ratio: null }),
    );
    const text = renderMarkdown(report(['a', 'b', 'c'].map((id) => ({ ...bad(id), numeric: numericResult({ kernels: many }) }))));
    expect(text).toContain('| `k9` | `attention` | 3 of 3 | – |  |\n\n… and 2 more kernels in report.json');
  });

  it('folds what it says of each model after the first five, with the deciding reason in sight', () => {
    const text = renderMarkdown(report(Array.from({ length: 7 }, (_, index) => ({ ...failing, id: `bad-${index}` }))));
    expect(text.match(/^### ❌ `bad-[0-4]`$/gm)).toHaveLength(5);
    expect(
      text.match(/^<details><summary>❌ bad-[56]: Kernel braid-rope \(rope\) fails: accuracy_ratio 812 &gt; 4; .*<\/summary>$/gm),
    ).toHaveLength(2);
  });

  it('folds the rows of COMPATIBLE models where they are many below others, and nowhere else', () => {
    const fine = (count: number) => Array.from({ length: count }, (_, index) => ({ ...passing, id: `fine-${index}` }));
    const folded = renderMarkdown(report([...fine(21), sensitive, failing]));
    expect(folded).toMatch(
      /qwen3-mini[^\n]*\n\n<details><summary>✅ 21 more models are COMPATIBLE<\/summary>\n\n\| model \|[^\n]*\n\| ---[^\n]*\n\| `fine-0`/,
    );
    expect(rendered(folded).match(/<table>/g)?.length).toBeGreaterThan(2);
    for (const open of [[...fine(20), failing], fine(50)]) expect(renderMarkdown(report(open))).not.toContain('more models are COMPATIBLE');
  });

  it('gives a command that a shell takes as it is meant', () => {
    const text = renderMarkdown(report([modelReport({ id: "it's $(rm) `x`" }), modelReport({ id: '-rf' })]));
    expect(text).toContain("```sh\nfused-compat check --policy evidence -- 'it'\\''s $(rm) `x`' -rf\n```");
  });

  it('says what else the command takes: prompts that are too long for it, paths of another machine', () => {
    const given = (...reproduce: string[]) => renderMarkdown(report([modelReport({ id: 'a' })], { reproduce }));
    const plainNote = '<sub>In a checkout of this commit. <code>fused-compat</code> is <code>dist/cli.js</code> of the Action.';
    expect(given('--prompts', '["```\\n@team"]')).toContain(
      `\n\`\`\`\`sh\nfused-compat check --policy evidence --prompts '["\`\`\`\\n@team"]' a\n\`\`\`\`\n\n${plainNote}</sub>`,
    );
    expect(given('--prompts', JSON.stringify(['@team'.repeat(500)]))).toContain(
      `--prompts input-prompts.json a\n\`\`\`\n\n${plainNote} The prompts of this run are too long for a line: write the list after ` +
        '<code>--prompts</code> under <code>reproduce</code> in report.json into <code>input-prompts.json</code> first.</sub>',
    );
    expect(given('--config', '/tmp/c.yml')).toContain(`${plainNote} Absolute paths are those of the machine that this ran on.</sub>`);
  });

  it('leaves a name that cannot be pasted out of the command', () => {
    expect(renderMarkdown(report([modelReport({ id: 'a\u202eb' })]))).not.toContain('Reproduce');
  });
});

describe('a budget', () => {
  const many = (count: number) =>
    report([
      ...Array.from({ length: count }, (_, index) => ({ ...failing, id: `models/bad-${String(index).padStart(4, '0')}` })),
      ...Array.from({ length: count }, (_, index) => ({ ...passing, id: `models/good-${String(index).padStart(4, '0')}` })),
    ]);

  it.each([60_000, 20_000, 8_000, 4_000, 2_000, 1_000, 400])('of %i bytes is kept, and the verdict line stands', (budget) => {
    const text = renderMarkdown(many(20), { budget });
    expect(bytes(text)).toBeLessThanOrEqual(budget);
    expect(text).toMatch(/^## ❌ fused-compat gate failed: 20 INCOMPATIBLE, 20 COMPATIBLE\n/);
  });

  it('takes from passing models first, then from the last that fail, then rows, and says what it cut', () => {
    const full = renderMarkdown(many(20));
    const failingOnly = renderMarkdown(many(20), { budget: bytes(full) - 1 });
    expect(failingOnly).toContain('_Shortened to fit. Here: details of 19 of 20 passing models. The rest is in report.json._');

    const some = renderMarkdown(many(20), { budget: 20_000 });
    const [, detailed] =
      /Here: of 20 failing models, (\d+) with details and (\d+) with reasons; details of 0 of 20 passing models/.exec(some) ?? [];
    const sections = [...some.matchAll(/^(?:### ❌ `|<details><summary>❌ )models\/bad-00(\d\d)/gm)];
    expect(sections.length).toBeGreaterThanOrEqual(Number(detailed));
    expect(Number(detailed)).toBeGreaterThan(0);
    // Each of the others has its line with the deciding reason, in the order of the table.
    const lines = [...some.matchAll(/^- ❌ `models\/bad-00(\d\d)`: Kernel braid-rope \(rope\) fails.* … and 1 more reason$/gm)];
    expect([...sections, ...lines].map(([, number]) => Number(number))).toEqual(Array.from({ length: 20 }, (_, index) => index));
    expect(some).toContain('**Reproduce**');

    const tableOnly = renderMarkdown(many(20), { budget: 5_600 });
    expect(tableOnly).toContain('good-0019');
    expect(tableOnly).not.toContain('<details>');
    const rowsOnly = renderMarkdown(many(20), { budget: 3_000 });
    expect(rowsOnly).toContain('20 passing models (20 COMPATIBLE) in report.json only');
    expect(rowsOnly).toContain('bad-0019');
    const fewRows = renderMarkdown(many(20), { budget: 1_500 });
    expect(fewRows).toMatch(/\d+ more failing models and 20 passing models/);
    expect(fewRows).toContain('bad-0000');
  });

  it('is kept with any place named for the rest, which a report that fits does not name', () => {
    const rest = `the [summary of the run](https://github.example/${'x'.repeat(300)}) and report.json`;
    for (const budget of [30_000, 20_000, 8_000, 4_000, 2_000, 1_200]) {
      const text = renderMarkdown(many(20), { budget, rest });
      expect(bytes(text)).toBeLessThanOrEqual(budget);
      expect(text).toContain(rest);
    }
    expect(renderMarkdown(many(1), { budget: 60_000, rest })).not.toContain(rest);
  });

  it('is used: a little more room never shows less', () => {
    let last = 0;
    for (let budget = 500; budget < 30_000; budget += 500) {
      const size = bytes(renderMarkdown(many(8), { budget }));
      expect(size).toBeLessThanOrEqual(budget);
      expect(size).toBeGreaterThan(last * 0.8);
      last = size;
    }
  });

  it('too small for anything still gives the verdict line', () => {
    expect(renderMarkdown(many(3), { budget: 10 })).toBe('## ❌ fused-compat gate failed: 3 INCOMPATIBLE, 3 COMPATIBLE\n');
  });

  it('is counted in bytes, not in characters', () => {
    const wide = report(Array.from({ length: 50 }, (_, index) => modelReport({ id: `模型/${index}`, verdict: 'INCONCLUSIVE' })));
    expect(bytes(renderMarkdown(wide, { budget: 5000 }))).toBeLessThanOrEqual(5000);
  });
});

describe('hostile text', () => {
  const page = rendered(renderMarkdown(report([hostile])));

  it('brings no element, link or image of its own', () => {
    const tags = new Set([...page.matchAll(/<\/?([a-z0-9]+)/gi)].map((match) => match[1]));
    expect([...tags].sort()).toEqual([
      'b',
      'code',
      'details',
      'h2',
      'h3',
      'li',
      'p',
      // The strips of the layers, which hold numbers only.
      'pre',
      'sub',
      'summary',
      'table',
      'tbody',
      'td',
      'th',
      'thead',
      'tr',
      'ul',
    ]);
    expect(page).not.toMatch(/<[^>]*onerror=|<!--/);
  });

  it('keeps every table row at its number of cells', () => {
    for (const table of page.match(/<table>.*?<\/table>/gs) ?? []) {
      const rows = (table.match(/<tr>.*?<\/tr>/gs) ?? []).map((row) => (row.match(/<t[hd]/g) ?? []).length);
      expect(new Set(rows).size).toBe(1);
    }
  });

  it('mentions nobody and refers to no issue outside code', () => {
    const text = page.replace(/<code>.*?<\/code>/gs, '');
    expect(text).not.toMatch(/@\w|#\d|GH-\d|:\/\/|www\.\w/);
  });

  it('reads as it was written', () => {
    const words = page
      .replace(/<[^>]+>/g, '')
      .replaceAll('\u200b', '')
      .replaceAll('&lt;', '<')
      .replaceAll('&gt;', '>')
      .replaceAll('&quot;', '"');
    expect(words).toContain(
      'no tensor "model.`|<b>*x*</b> [click](https://evil.example) ![i](x) @octocat fixes #12 GH-3 www.evil.example a@b.example $x$ ~~y~~ _z_ snake_case \\ \ufffdabc\ufffd[2J next"',
    );
    expect(words).toContain('# not a heading');
    expect(words).toContain('1. not a list');
  });

  it.each(['a\\|b', '\\', '``', '`', '|', ' ', '', '<!--', '\\`|', '[x]: http://evil', '&lt;b&gt;', '\u0000'])(
    '"%s" as a name stays one cell of code',
    (id) => {
      const row = /<tbody>\n<tr>.*?<\/tr>/s.exec(rendered(renderMarkdown(report([modelReport({ id })]))))?.[0] ?? '';
      expect(row.match(/<td/g)).toHaveLength(10);
      expect(row).toMatch(/^<tbody>\n<tr>\n<td><code>[^<]*<\/code><\/td>/);
    },
  );

  it('that is endless is shortened at its middle', () => {
    const text = renderMarkdown(report([modelReport({ id: `start-${'x'.repeat(100_000)}-end` })]));
    expect(text).toMatch(/start-x+…x+-end/);
    expect(text.length).toBeLessThan(10_000);
  });
});
