// Cuts GitHub's OpenAPI description down to the operations this Action calls, for the contract-checked loopback server of
// __tests__/github. The npm package is 394 MB unpacked, so it is never a dependency: see __tests__/fixtures/github-openapi/README.md.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const OPERATIONS = [
  ['/user', 'get'],
  ['/repos/{owner}/{repo}/issues/{issue_number}/comments', 'get'],
  ['/repos/{owner}/{repo}/issues/{issue_number}/comments', 'post'],
  ['/repos/{owner}/{repo}/issues/comments/{comment_id}', 'patch'],
  ['/repos/{owner}/{repo}/pulls', 'get'],
  ['/repos/{owner}/{repo}/pulls/{pull_number}', 'get'],
  ['/repos/{owner}/{repo}/contents/{path}', 'get'],
  ['/repos/{owner}/{repo}/statuses/{sha}', 'post'],
];
/** Prose and vendor extensions: nothing that a validator reads. `examples` stay, the server's answers are made from them. */
const PROSE = new Set(['description', 'summary', 'externalDocs', 'tags', 'example', 'x-github', 'x-octokit', 'x-multi-segment', 'title']);

/** A copy without prose. Names inside `properties` are data, not keywords, and are all kept. */
function trim(value, parent) {
  if (Array.isArray(value)) return value.map((item) => trim(item, ''));
  if (typeof value !== 'object' || value === null) return value;
  if (parent === 'examples') return value;
  const entries = Object.entries(value).filter(([key]) => parent === 'properties' || !PROSE.has(key));
  return Object.fromEntries(entries.map(([key, child]) => [key, trim(child, parent === 'properties' ? '' : key)]));
}

function lookUp(description, reference) {
  return reference
    .slice(2)
    .split('/')
    .reduce((node, key) => node[key], description);
}

function extract(description) {
  const out = {
    openapi: description.openapi,
    info: { version: description.info.version, license: description.info.license },
    paths: {},
    components: {},
  };
  const seen = new Set();
  const follow = (value) => {
    if (typeof value !== 'object' || value === null) return;
    if (typeof value.$ref === 'string' && !seen.has(value.$ref)) {
      seen.add(value.$ref);
      const [, , kind, name] = value.$ref.split('/');
      const found = lookUp(description, value.$ref);
      const kept = kind === 'examples' ? found : trim(found, kind);
      out.components[kind] = { ...out.components[kind], [name]: kept };
      follow(kept);
    }
    for (const child of Object.values(value)) follow(child);
  };
  for (const [path, method] of OPERATIONS) {
    const operation = trim(description.paths[path][method], '');
    out.paths[path] = { ...out.paths[path], [method]: operation };
    follow(operation);
  }
  return out;
}

const source = process.argv[2];
if (source === undefined) {
  console.error('usage: node scripts/extract-openapi.mjs path/to/@octokit/openapi/generated/api.github.com.json');
  process.exitCode = 2;
} else {
  const target = fileURLToPath(new URL('../__tests__/fixtures/github-openapi/api.github.com.json', import.meta.url));
  const extracted = extract(JSON.parse(readFileSync(source, 'utf8')));
  writeFileSync(target, `${JSON.stringify(extracted, null, 1)}\n`);
  console.log(`${target}: ${Object.keys(extracted.components.schemas).length} schemas of ${extracted.info.version}`);
}
