// Whatever stands in names and words of others, the document has the elements that it has for harmless ones, and no other.

import { readFileSync, writeFileSync } from 'node:fs';
import * as core from '@actions/core';
import { describe, expect, it, jest } from '@jest/globals';
import { micromark } from 'micromark';
import { gfm, gfmHtml } from 'micromark-extension-gfm';
import { annotate } from '../../src/github/annotations.js';
import { commentBody } from '../../src/github/comment.js';
import { statusOfReport } from '../../src/github/status.js';
import { renderMarkdown } from '../../src/report/markdown.js';
import { renderTerminal } from '../../src/report/terminal.js';
import { serializeReport } from '../../src/report/write.js';
import { HOSTILE, menagerie, reportOf } from './hostile.js';

/** As GitHub would render it: GFM, raw HTML included. */
function rendered(markdown: string): string {
  return micromark(markdown, { allowDangerousHtml: true, allowDangerousProtocol: true, extensions: [gfm()], htmlExtensions: [gfmHtml()] });
}

/** The tags in their order, but for code, which words in backticks may become. */
function structure(page: string): string[] {
  return [...page.matchAll(/<[^>]*>/g)].map(([tag]) => tag).filter((tag) => !/^<\/?code( class="[\w-]+")?>$/.test(tag));
}

/** What a function writes to stdout, where the runner looks for commands. */
function printed(write: () => void): string {
  const stdout = jest.spyOn(process.stdout, 'write').mockReturnValue(true);
  try {
    write();
    return stdout.mock.calls.map(([text]) => String(text)).join('');
  } finally {
    stdout.mockRestore();
  }
}

const EVENT = { name: 'push', owner: 'acme', repo: 'kernels', sha: 'a'.repeat(40), runUrl: null, pullRequest: null };
const harmless = structure(rendered(renderMarkdown(reportOf('word'))));

describe.each(HOSTILE)('%s in every name and message', (_, text) => {
  const given = reportOf(text);
  const markdown = renderMarkdown(given);
  const page = rendered(markdown);

  it('add no element to the document and take none away', () => {
    expect(structure(page)).toEqual(harmless);
  });

  it('mention nobody, refer to nothing and are no address outside of code', () => {
    const outside = page.replace(/<code[^>]*>.*?<\/code>/gs, '').replace(/<[^>]+>/g, ' ');
    expect(outside).not.toMatch(/@\w|(?<!&)#\d|GH-\d|:\/\/|www\.\w/);
  });

  it('hide nothing and turn nothing around', () => {
    expect(markdown.replaceAll('\u200b', '').replaceAll('\n', '')).not.toMatch(/\p{C}/u);
  });

  it('do nothing to a terminal or a log', () => {
    const lines = renderTerminal(given, { color: false }).split('\n');
    expect(lines.join('')).not.toMatch(/\p{C}/u);
    expect(lines.filter((line) => /^\s*::|##\[/.test(line))).toEqual([]);
    expect(`${markdown}\n${serializeReport(given)}`).not.toMatch(/^\s*::|##\[/m);
    expect(JSON.parse(serializeReport(given))).toEqual(given);
  });

  it('are one annotation for each model, of harmless words, however long they are', () => {
    const written = printed(() => {
      annotate(given, core, { errors: 10, warnings: 10 });
    });
    const lines = written.split('\n').filter((line) => line !== '');
    expect(lines.map((line) => line.split('::')[1])).toEqual([
      'error title=fused-compat%3A INCOMPATIBLE',
      'error title=fused-compat%3A INCOMPATIBLE',
      'warning title=fused-compat%3A INCOMPATIBLE',
    ]);
    for (const line of lines) {
      expect(line).not.toMatch(/##\[|[\p{Cc}\p{Bidi_C}]/u);
      // The name takes no room from the reasons.
      expect(line.split('%0A').length).toBeGreaterThanOrEqual(2);
    }
  });

  it('are a description of the commit status in one line of 140 characters', () => {
    const { description } = statusOfReport(given);
    expect(description.length).toBeLessThanOrEqual(140);
    expect(description).toMatch(/^gate failed: 3 INCOMPATIBLE, 1 of them allowed \(/);
    expect(description).not.toMatch(/[\p{Cc}\p{Bidi_C}\p{Zl}\p{Zp}]/u);
  });

  it('add nothing to a comment but what the report has', () => {
    const body = commentBody(given, 'default', EVENT);
    expect(rendered(body).match(/<!--/g)).toHaveLength(1);
    expect(Buffer.byteLength(body)).toBeLessThanOrEqual(65_000);
    expect(Buffer.from(body).toString()).toBe(body);
  });

  it('fit into a comment', () => {
    expect(Buffer.byteLength(renderMarkdown(given, { budget: 65_000 }))).toBeLessThanOrEqual(65_000);
    expect(renderMarkdown(given, { budget: 2_000 })).toMatch(/^## ❌ fused-compat gate failed: 3 INCOMPATIBLE, 1 of them allowed\n/);
  });
});

describe('the document of harmless names', () => {
  it('shows every part that hostile ones are tried in', () => {
    const text = renderMarkdown(reportOf('word'));
    for (const part of [
      'allowed until 2026-12-31: word',
      'expired after 2026-01-01',
      'Gone since then',
      '```mermaid',
      '**Cause**',
      '**What to do**',
      'Probes of',
      'Speed of',
      'finding in the weights',
      'was not caught',
      '| baseline |',
    ])
      expect(text).toContain(part);
  });
});

describe('a comment about one model of each kind of hostile name', () => {
  const kept = new URL('./documents/hostile-names.md', import.meta.url);
  const text = renderMarkdown(menagerie(), { budget: 30_000 });
  if (process.env['UPDATE_DOCUMENTS'] === '1') writeFileSync(kept, text);

  it('is the document that was reviewed, as text and as a picture (scripts/screenshot.mjs)', () => {
    expect(text).toBe(readFileSync(kept, 'utf8'));
  });

  it('has a row and a line for each', () => {
    const page = rendered(text);
    const [table = ''] = /<table>.*?<\/table>/s.exec(page) ?? [];
    expect(table.match(/<tr>/g)).toHaveLength(HOSTILE.length + 1);
    expect(table.match(/<td>/g)).toHaveLength(HOSTILE.length * 2);
    expect(table.match(/<t[dh][ >]/g)).toHaveLength((HOSTILE.length + 1) * 10);
  });
});
