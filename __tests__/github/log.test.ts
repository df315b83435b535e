import { describe, expect, it } from '@jest/globals';
import { createLog, plainLine } from '../../src/github/log.js';
import { redactor } from '../../src/github/redact.js';

/** What actions/runner takes for a command (ActionCommand.TryParseV2 and TryParse). */
function isCommand(line: string): boolean {
  return line.trimStart().startsWith('::') || line.includes('##[');
}

describe('the log', () => {
  it.each([
    '::error::pwned',
    '   ::set-env name=PATH::/tmp',
    '\t::stop-commands::x',
    'model ##[error]pwned',
    '\u001b[2K\r::error::pwned',
    'name\n::add-mask::a',
    'name\u2028::add-mask::a',
    '\u0085::error::x',
    '\u202e::error::x',
    '#\u0000#[error]x',
    '##\u0007[error]x',
  ])('writes %j as one line that is no command', (text) => {
    const line = plainLine(text);
    expect(line).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}\u202e]/u);
    expect(isCommand(line)).toBe(false);
  });

  it('leaves ordinary text as it is', () => {
    expect(plainLine('qwen3-mini: WARNING ⚠️ (K ratio 42.3) ## x :: y')).toBe('qwen3-mini: WARNING ⚠️ (K ratio 42.3) ## x :: y');
  });

  it('redacts, cleans every line of a block and counts its warnings', () => {
    const lines: string[] = [];
    const warned: string[] = [];
    const log = createLog({ info: (line) => lines.push(line), warning: (line) => warned.push(line) }, redactor(['s3cret-value']));
    log.block('one s3cret-value\r\n::error::two\nthree');
    log.warning('four\ns3cret-value');
    expect(lines).toEqual(['one ***', '| ::error::two', 'three']);
    expect(warned).toEqual(['four ***']);
    expect(log.warnings()).toBe(1);
  });
});
