// GitHub's own language service, which knows the actions that our workflows use: ours by its action.yml, the others by the inputs below.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { REPOSITORY } from '../weights/made-files.js';

type Validation = NonNullable<Parameters<(typeof import('@actions/languageservice'))['validate']>[1]>;
type Metadata = NonNullable<Awaited<ReturnType<NonNullable<Validation['actionsMetadataProvider']>['fetchActionMetadata']>>>;

/** Inputs of the foreign actions that workflows here use, from their action.yml at the pinned versions. */
const THEIRS: Record<string, string[]> = {
  'actions/cache/restore': ['path', 'key', 'restore-keys', 'fail-on-cache-miss', 'lookup-only'],
  'actions/cache/save': ['path', 'key', 'upload-chunk-size'],
  'actions/checkout': ['repository', 'ref', 'token', 'persist-credentials', 'path', 'clean', 'fetch-depth', 'lfs', 'submodules'],
  'actions/upload-artifact': [
    'name',
    'path',
    'if-no-files-found',
    'retention-days',
    'compression-level',
    'overwrite',
    'include-hidden-files',
  ],
  'actions/download-artifact': ['name', 'artifact-ids', 'path', 'pattern', 'merge-multiple', 'github-token', 'repository', 'run-id'],
  'actions/setup-node': ['node-version', 'node-version-file', 'check-latest', 'cache', 'package-manager-cache', 'cache-dependency-path'],
  'actions/attest-build-provenance': [
    'subject-path',
    'subject-digest',
    'subject-name',
    'subject-checksums',
    'push-to-registry',
    'show-summary',
  ],
  'github/codeql-action/init': ['languages', 'build-mode', 'config', 'config-file', 'queries', 'packs', 'source-root', 'tools'],
  'github/codeql-action/analyze': ['category', 'output', 'upload', 'ref', 'sha'],
};
const OURS = { '': 'action.yml', merge: 'merge/action.yml' };

/** What our action.yml, or that of its part `merge`, says. */
export function ourAction(path = ''): Metadata {
  return parse(readFileSync(join(REPOSITORY, OURS[path as keyof typeof OURS]), 'utf8')) as Metadata;
}

interface Reference {
  readonly owner: string;
  readonly name: string;
  readonly path?: string;
}

function metadataOf({ owner, name, path = '' }: Reference): Metadata | undefined {
  if (owner === 'OWNER' && name === 'fused-compat' && path in OURS) return ourAction(path);
  const inputs = THEIRS[[owner, name, ...(path === '' ? [] : [path])].join('/')];
  return inputs && { name, description: name, inputs: Object.fromEntries(inputs.map((input) => [input, { description: input }])) };
}

let documents = 0;

/**
 * What the service has to say of a workflow, or of an action.yml, one line for each fault; of an action that nobody here knows it says that it cannot be
 * resolved. It keeps results by address, so each document has its own; and it looks only at actions with an owner and a name.
 */
export async function diagnose(text: string, kind: 'workflow' | 'action' = 'workflow'): Promise<string[]> {
  const [{ validate }, { TextDocument }] = await Promise.all([
    import('@actions/languageservice'),
    import('vscode-languageserver-textdocument'),
  ]);
  const named = text.replaceAll(/uses: \.\/$/gm, 'uses: OWNER/fused-compat@v1');
  const number = documents++;
  const address = kind === 'workflow' ? `.github/workflows/w${number}.yml` : `a${number}/action.yml`;
  const document = TextDocument.create(`file:///${address}`, 'yaml', 1, named);
  const actionsMetadataProvider = { fetchActionMetadata: (reference: Reference) => Promise.resolve(metadataOf(reference)) };
  const found = await validate(document, { actionsMetadataProvider });
  return found.map(({ message, range }) => `line ${range.start.line + 1}: ${typeof message === 'string' ? message : message.value}`);
}
