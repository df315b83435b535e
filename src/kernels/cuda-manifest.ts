// What the schema cannot say about a cuda manifest: expressions that parse, arguments that the contract has.

import { parseExpression } from './expression.js';
import type { CudaManifest, Expression } from './manifest.js';

/** Problems in the user's words; none for a manifest that can be used. */
export function cudaProblems(manifest: CudaManifest): string[] {
  const problems: string[] = [];
  const expressions: [string, Expression][] = [
    ...list(manifest.grid).map((text, i): [string, Expression] => [`grid.${'xyz'[i] as string}`, text]),
    ...list(manifest.block).map((text, i): [string, Expression] => [`block.${'xyz'[i] as string}`, text]),
  ];
  if (manifest.shared_bytes !== undefined) expressions.push(['shared_bytes', manifest.shared_bytes]);
  for (const [key, text] of expressions) {
    try {
      parseExpression(text);
    } catch (error) {
      problems.push(`${key} ${JSON.stringify(text)}: ${(error as Error).message}`);
    }
  }
  if (typeof manifest.entry === 'object') {
    for (const dtype of manifest.dtypes) if (manifest.entry[dtype] === undefined) problems.push(`entry has none for dtype ${dtype}`);
  }
  return problems;
}

export function list<T>(value: T | readonly T[]): readonly T[] {
  return Array.isArray(value) ? (value as readonly T[]) : [value as T];
}
