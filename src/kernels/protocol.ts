// What a program of backend `command` may answer (process protocol 1, docs/kernels.md): one line of JSON into a checked answer.

import { printable, quote } from '../hub/names.js';
import { KernelError, type KernelDevice, type Variant, type Violation } from './kernel.js';
import { oneLine } from './lines.js';

export interface Result {
  readonly type: 'result';
  readonly id: number;
  readonly time_us: number | null;
  readonly violations: readonly Violation[];
}

export interface Refusal {
  readonly type: 'error';
  /** null: the answer to `hello`. */
  readonly id: number | null;
  readonly message: string;
}

export interface Ready {
  readonly type: 'ready';
  readonly ops: readonly string[];
  readonly device: KernelDevice;
}

export type Answer = Ready | Result | Refusal;

const CHECKS: readonly Violation['check'][] = ['inputs_unchanged', 'guard_bands', 'outputs_written'];
const VARIANTS: readonly Variant[] = ['fused', 'standard'];
const MAX_VIOLATIONS = 64;

/**
 * Reads one line of a program.
 * @throws KernelError saying what is wrong with it, as the end of a sentence that begins with the program
 */
export function readAnswer(line: string): Answer {
  let message: unknown;
  try {
    message = JSON.parse(line);
  } catch {
    throw new KernelError(`printed a line that is not JSON: ${shown(line)}`);
  }
  if (!isObject(message)) throw new KernelError(`printed JSON that is no object: ${shown(line)}`);
  switch (message['type']) {
    case 'ready':
      return readReady(message);
    case 'result':
      return readResult(message);
    case 'error':
      return readRefusal(message);
    default:
      throw new KernelError(`sent a message whose type is not ready, result or error: ${shown(line)}`);
  }
}

function readReady(message: Readonly<Record<string, unknown>>): Ready {
  const { name, ops, variants, device } = message;
  if (typeof name !== 'string' || name === '') throw wrong('ready', 'name', 'a text', name);
  if (!isTexts(ops)) throw wrong('ready', 'ops', 'a list of op names', ops);
  if (!isTexts(variants) || !variants.every(isVariant) || !variants.includes('fused')) {
    throw wrong('ready', 'variants', 'a list with "fused", and "standard" where there is an unfused path', variants);
  }
  if (typeof device !== 'string' || device.trim() === '') throw wrong('ready', 'device', 'the name of a device', device);
  // The name is all that is told of a device; every runtime calls the processor so.
  const gpu = !/^cpu/i.test(device.trim());
  return { type: 'ready', ops, device: { device: printable(device.trim()), gpu, variants } };
}

function readResult(message: Readonly<Record<string, unknown>>): Result {
  const { id, time_us = null, violations = [] } = message;
  if (!isId(id)) throw wrong('result', 'id', "the call's number", id);
  if (time_us !== null && !(typeof time_us === 'number' && Number.isFinite(time_us) && time_us >= 0)) {
    throw wrong('result', 'time_us', 'a number of microseconds', time_us);
  }
  if (!Array.isArray(violations) || violations.length > MAX_VIOLATIONS || !violations.every(isViolation)) {
    throw wrong('result', 'violations', `at most ${MAX_VIOLATIONS} objects with check (${CHECKS.join(', ')}) and detail`, violations);
  }
  return { type: 'result', id, time_us, violations: violations.map(({ check, detail }) => ({ check, detail: printable(detail) })) };
}

function readRefusal(message: Readonly<Record<string, unknown>>): Refusal {
  const { id = null, message: text } = message;
  if (id !== null && !isId(id)) throw wrong('error', 'id', "the call's number", id);
  if (typeof text !== 'string') throw wrong('error', 'message', 'a text', text);
  return { type: 'error', id, message: oneLine(text) };
}

function wrong(type: string, field: string, wanted: string, found: unknown): KernelError {
  const is = found === undefined ? 'is missing' : `is ${printable(JSON.stringify(found))}`;
  return new KernelError(`sent ${type} whose ${field} ${is}; it must be ${wanted}`);
}

/** A line as it came, quoted and cut. */
export function shown(line: string): string {
  return quote(line.trim());
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string');
}

function isVariant(value: string): value is Variant {
  return VARIANTS.some((variant) => variant === value);
}

function isId(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

function isViolation(value: unknown): value is Violation {
  return isObject(value) && CHECKS.some((check) => check === value['check']) && typeof value['detail'] === 'string';
}
