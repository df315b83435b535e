// What the Action prints. Every line passes through here, because the runner reads stdout for commands and much of what is printed
// (model names, error messages) was written by others.

import type { Redact } from './redact.js';

/** C0 and C1 controls (ESC and CR among them: the runner splits lines at CR), line separators, and marks that change the direction. */
const CONTROL = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_C}]+/gu;

/**
 * `text` as one line that the runner takes for no command and the terminal for no control sequence.
 * The runner knows two forms: `::name::` at the start of a line, after any white space, and the older `##[name]` ANYWHERE in it
 * (actions/runner, ActionCommand.TryParse).
 */
export function plainLine(text: string): string {
  const line = text.replace(CONTROL, ' ').replaceAll('##[', '## [');
  return /^\s*::/.test(line) ? `| ${line}` : line;
}

/** The part of `@actions/core` that writes; stands here so that tests can pass their own. */
export interface Writer {
  info(message: string): void;
  warning(message: string): void;
}

export interface Log {
  info(text: string): void;
  /** A line that is also a warning annotation of the run. */
  warning(text: string): void;
  /** Many lines, e.g. a table. */
  block(text: string): void;
  /** How many warnings were given: the runner shows ten of a kind. */
  warnings(): number;
}

/** A log that redacts what it is given, neutralises what the runner would obey, and writes it through `writer`. */
export function createLog(writer: Writer, redact: Redact): Log {
  let warnings = 0;
  const info = (text: string): void => writer.info(plainLine(redact(text)));
  return {
    info,
    warning(text) {
      warnings += 1;
      writer.warning(plainLine(redact(text)));
    },
    block(text) {
      for (const line of text.split(/\r\n|\r|\n/)) info(line);
    },
    warnings: () => warnings,
  };
}
