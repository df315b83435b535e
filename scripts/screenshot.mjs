// A picture of a Markdown report as GitHub would show it, with every fold open: rendered by micromark, painted by headless Chromium, which
// must be installed. Fails when the page has an element that no report of ours has, or when anything in it ran.
// Run: node scripts/screenshot.mjs REPORT.md PICTURE.png [--mermaid node_modules/mermaid/dist/mermaid.min.js] [--height PIXELS]
// Without --mermaid (it is no package of this repository) charts are shown as their source.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { micromark } from 'micromark';
import { gfm, gfmHtml } from 'micromark-extension-gfm';

/** As wide as a comment on GitHub. */
const WIDTH = 920;
/** Chromium paints no more than this. */
const MOST_HEIGHT = 16_000;
/** What reports are made of. Links are ours: to the run, in the footer of a comment and where something was left out. */
const ELEMENTS = 'a b br code del details em h2 h3 hr li ol p pre strong sub summary table tbody td th thead tr ul';
const STYLE = `
body { margin: 16px; width: ${WIDTH - 32}px; font: 14px/1.5 -apple-system, 'Segoe UI', 'Noto Sans', 'DejaVu Sans', sans-serif; color: #1f2328 }
table { border-collapse: collapse; display: block; overflow: auto; width: max-content; max-width: 100% }
th, td { border: 1px solid #d1d9e0; padding: 6px 13px } tr:nth-child(2n) { background: #f6f8fa }
code, pre { font: 12px 'DejaVu Sans Mono', monospace; background: #818b981f; border-radius: 6px } code { padding: .2em .4em; white-space: break-spaces }
pre { padding: 16px; overflow: auto } pre code { padding: 0; background: none; white-space: pre }
h2 { border-bottom: 1px solid #d1d9e0 } details { margin: 8px 0 } sub { font-size: 12px; vertical-align: baseline; color: #59636e }`;
/** Runs in the page, after everything else in it: opens the folds, and leaves on the document what was found. */
const INSPECT = `
for (const fold of document.querySelectorAll('details')) fold.open = true;
const all = [...document.querySelector('main').querySelectorAll('*')].filter((one) => one.closest('svg, .mermaid') === null);
const known = new Set(${JSON.stringify(ELEMENTS.split(' '))});
const found = all.flatMap((one) => [
  ...(known.has(one.localName) ? [] : ['<' + one.localName + '>']),
  ...one.getAttributeNames().filter((name) => /^on|^style$|^dir$/.test(name)).map((name) => '<' + one.localName + ' ' + name + '>'),
  ...(one.localName === 'a' && !/^https:\\/\\/github\\.example\\//.test(one.href) ? ['a link to ' + one.href] : []),
]);
if (window.ran !== undefined) found.push('a script');
document.documentElement.dataset.found = JSON.stringify(found);
document.documentElement.dataset.height = Math.ceil(document.querySelector('main').getBoundingClientRect().height) + 40;`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { mermaid: { type: 'string' }, height: { type: 'string' } },
});
const [report, picture] = positionals;
if (report === undefined || picture === undefined) {
  console.error('usage: node scripts/screenshot.mjs REPORT.md PICTURE.png [--mermaid FILE] [--height PIXELS]');
  process.exit(2);
}

/** The page; alert() and its like would show that something in the report ran. */
function page(markdown) {
  const html = micromark(markdown, {
    allowDangerousHtml: true,
    allowDangerousProtocol: true,
    extensions: [gfm()],
    htmlExtensions: [gfmHtml()],
  });
  const charts = '<script type="module">await mermaid.run({ nodes: document.querySelectorAll(".mermaid") });' + INSPECT + '</script>';
  const [body, scripts] =
    values.mermaid === undefined
      ? [html, `<script>${INSPECT}</script>`]
      : [
          html.replace(/<pre><code class="language-mermaid">([\s\S]*?)<\/code><\/pre>/g, '<div class="mermaid">$1</div>'),
          `<script src="${pathToFileURL(resolve(values.mermaid)).href}"></script><script>mermaid.initialize({ startOnLoad: false })</script>${charts}`,
        ];
  const traps = 'for (const name of ["alert", "open", "fetch"]) window[name] = () => { window.ran = name };';
  return `<!doctype html><meta charset="utf-8"><style>${STYLE}</style><script>${traps}</script><main>${body}</main>${scripts}`;
}

const folder = mkdtempSync(join(tmpdir(), 'screenshot-'));
try {
  const file = join(folder, 'page.html');
  writeFileSync(file, page(readFileSync(report, 'utf8')));
  const chromium = (...args) =>
    execFileSync(
      'chromium',
      [
        ...['--headless', '--no-sandbox', '--disable-gpu', '--hide-scrollbars', '--virtual-time-budget=5000'],
        ...[`--user-data-dir=${join(folder, 'profile')}`, ...args, pathToFileURL(file).href],
      ],
      { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], maxBuffer: 1 << 27, timeout: 120_000 },
    );
  const seen = chromium('--dump-dom', `--window-size=${WIDTH},1000`);
  const [, attributes = ''] = /<html([^>]*)>/.exec(seen) ?? [];
  const [, found] = /data-found="([^"]*)"/.exec(attributes) ?? [];
  if (found === undefined) throw new Error('the page was not inspected: something in it stopped the scripts behind it');
  if (found !== '[]') throw new Error(`the page has what no report has: ${found.replaceAll('&quot;', '"')}`);
  const height = Math.min(Number(values.height ?? /data-height="(\d+)"/.exec(attributes)?.[1]), MOST_HEIGHT);
  chromium(`--screenshot=${resolve(picture)}`, `--window-size=${WIDTH},${height}`);
  console.log(`${picture}: ${WIDTH} by ${height} pixels; nothing but ${ELEMENTS.split(' ').length} kinds of elements, and nothing ran`);
} finally {
  rmSync(folder, { recursive: true });
}
