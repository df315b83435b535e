// What the paths of a configuration may lead to where a stranger may have written it: into the folder that it is about, and not out of it.

import { lstat, realpath } from 'node:fs/promises';
import { dirname, isAbsolute, relative, resolve, sep } from 'node:path';
import schema from '../../schemas/config.schema.json' with { type: 'json' };
import type { NamePlace, RawConfig } from './validate.js';
import { show } from './validate.js';

export interface Confinement {
  /** Absolute, without links: the workspace. */
  readonly root: string;
  /** The file as the owners of the repository have it: what stands in it as well may lead anywhere. */
  readonly own: RawConfig;
}

const PATH_KEYS = ['models', 'kernels', 'prompts', 'baseline', 'output'] as const;
type PathKey = (typeof PATH_KEYS)[number];

/**
 * One line for each path that leads out of `root`: as it is written (absolute, `..`), where the file itself names it and its owners do not;
 * by a link, whoever names it, for links come with the stranger's files.
 * @param written which keys the file names, and no option or input over it
 */
export async function outsidePaths(
  raw: RawConfig,
  written: ReadonlySet<string>,
  folders: Readonly<Record<PathKey, string>>,
  { root, own }: Confinement,
  place: NamePlace,
): Promise<string[]> {
  const problems: string[] = [];
  for (const key of PATH_KEYS) {
    for (const [value, path] of pathsOf(key, raw, place)) {
      const target = resolve(folders[key], value);
      const inside = isInside(root, target);
      const theirs = written.has(key) && !pathsOf(key, own, place).some(([known]) => known === value);
      if (inside ? await leadsOut(target, root) : theirs)
        problems.push(
          `${path}: ${show(value)} leads out of the workspace${inside ? ' by a link' : ''}; a pull request from another repository may name only what is in it`,
        );
    }
  }
  return problems;
}

/** Values that are paths, or may be, each with its name for messages. Other types are the schema's to refuse. */
function pathsOf(key: PathKey, raw: RawConfig, place: NamePlace): [value: string, name: string][] {
  const value = raw[key] ?? (key === 'output' ? schema.properties.output.default : undefined);
  if (key !== 'models') return typeof value === 'string' ? [[value, place([key])]] : [];
  return [value].flat().flatMap((id, index) => (typeof id === 'string' ? [[id, place([key, String(index)])] as [string, string]] : []));
}

export function isInside(root: string, path: string): boolean {
  const inner = relative(root, path);
  return inner !== '..' && !inner.startsWith(`..${sep}`) && !isAbsolute(inner);
}

/** Whether what there is of a path inside of `root` really lies outside of it. A link to nothing counts: it may be there when it is used. */
export async function leadsOut(path: string, root: string): Promise<boolean> {
  for (let at = path; ; at = dirname(at)) {
    try {
      return !isInside(root, await realpath(at));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT' && code !== 'ENOTDIR') return true;
      if ((await lstat(at).catch(() => null))?.isSymbolicLink() === true) return true;
      if (dirname(at) === at) return true;
    }
  }
}
