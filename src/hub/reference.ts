// What a user may write for a model on the Hub. Whether there is such a model is not known here.

import { ModelError } from '../errors.js';
import { fileNameProblem, quote } from './names.js';

export interface HubReference {
  /** As the user wrote it. */
  readonly id: string;
  /** `org/name` */
  readonly repository: string;
  /** Branch, tag, `refs/pr/N` or commit. */
  readonly revision: string;
  /** The file of weights that is meant, where one is named: `model-Q4_K_M.gguf`. */
  readonly file: string | null;
}

const SHAPE = /^([A-Za-z0-9][\w.-]*\/[A-Za-z0-9][\w.-]*)(?:\/([^@]+\.(?:gguf|onnx)))?(?:@(.+))?$/;

/**
 * `org/name` or `org/name@revision`, and with a file `org/name/file.gguf` (or .onnx, also in a folder of the repository); null for everything
 * else, which is a path: one that starts with `.`, `/` or `~`, or has no or several slashes before the `@` and names no such file.
 * @throws ModelError `refused_for_safety` for a revision that no Hub can have, such as one with `..`
 */
export function hubReference(id: string): HubReference | null {
  const [, repository, file = null, revision = 'main'] = SHAPE.exec(id) ?? [];
  if (repository === undefined || (file !== null && fileNameProblem(file) !== null)) return null;
  const problem =
    revision.length > 255
      ? 'is too long'
      : /[\p{C}\s~^:?*[\]]/u.test(revision)
        ? 'holds a character no revision has'
        : fileNameProblem(revision);
  if (problem !== null) {
    throw new ModelError('refused_for_safety', `${quote(id)}: the revision ${problem}: refused. Write org/name@branch, @tag or @commit.`);
  }
  return { id, repository, revision, file };
}

export function isCommit(revision: string): boolean {
  return /^[0-9a-f]{40}$/.test(revision);
}
