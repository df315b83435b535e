// Reading the pickle of a torch.save file without running any of it: opcodes and names on a list build plain records, everything else is refused.
// The list is that of torch/_weights_only_unpickler.py, less what no state dict needs.

import { quote } from '../hub/names.js';
import type { TensorDtype } from './checkpoint.js';

export const OPCODE_LIMIT = 5_000_000;

export interface Storage {
  readonly kind: 'storage';
  /** null: untyped, counted in bytes. */
  readonly dtype: TensorDtype | null;
  readonly key: string;
  readonly elements: number;
}

export interface TorchTensor {
  readonly kind: 'tensor';
  readonly dtype: TensorDtype;
  readonly storage: Storage;
  /** In elements, as size and stride. */
  readonly offset: number;
  readonly shape: readonly number[];
  readonly stride: readonly number[];
}

export interface Dict {
  readonly kind: 'dict';
  readonly entries: Map<Value, Value>;
}

interface Sequence {
  readonly kind: 'list' | 'tuple' | 'set';
  readonly items: Value[];
}

interface Global {
  readonly kind: 'global';
  readonly name: string;
}

export type Value = null | boolean | number | bigint | string | Storage | TorchTensor | Dict | Sequence | Global;

// prettier-ignore
const STORAGES: Readonly<Record<string, TensorDtype | null>> = {
  'torch.FloatStorage': 'F32', 'torch.DoubleStorage': 'F64', 'torch.HalfStorage': 'F16', 'torch.BFloat16Storage': 'BF16', 'torch.LongStorage': 'I64',
  'torch.IntStorage': 'I32', 'torch.ShortStorage': 'I16', 'torch.CharStorage': 'I8', 'torch.ByteStorage': 'U8', 'torch.BoolStorage': 'BOOL',
  'torch.ComplexFloatStorage': 'C64', 'torch.ComplexDoubleStorage': 'C128', 'torch.storage.UntypedStorage': null, 'torch.UntypedStorage': null,
};
// prettier-ignore
const DTYPES: Readonly<Record<string, TensorDtype>> = {
  'torch.float32': 'F32', 'torch.float64': 'F64', 'torch.float16': 'F16', 'torch.bfloat16': 'BF16', 'torch.int64': 'I64', 'torch.int32': 'I32',
  'torch.int16': 'I16', 'torch.int8': 'I8', 'torch.uint8': 'U8', 'torch.uint16': 'U16', 'torch.uint32': 'U32', 'torch.uint64': 'U64',
  'torch.bool': 'BOOL', 'torch.complex64': 'C64', 'torch.complex128': 'C128', 'torch.float8_e4m3fn': 'F8_E4M3', 'torch.float8_e5m2': 'F8_E5M2',
  'torch.float8_e4m3fnuz': 'F8_E4M3FNUZ', 'torch.float8_e5m2fnuz': 'F8_E5M2FNUZ',
};
const ORDERED_DICT = 'collections.OrderedDict';
const REBUILD = ['torch._utils._rebuild_tensor_v2', 'torch._utils._rebuild_tensor_v3'];
const PARAMETERS = ['torch._utils._rebuild_parameter', 'torch._utils._rebuild_parameter_with_state'];
const CALLED = [ORDERED_DICT, 'torch.Size', ...REBUILD, ...PARAMETERS];

type Fault = (at: number, problem: string) => Error;

interface Machine {
  readonly bytes: Buffer;
  readonly fault: Fault;
  /** Start of the opcode at work, for messages. */
  opcodeAt: number;
  at: number;
  readonly stack: Value[];
  /** Heights of the stack at the open marks. */
  readonly marks: number[];
  readonly memo: Map<number, Value>;
}

/**
 * The value that a pickle describes. Nothing that it names is looked up, called or imported.
 * @throws what `fault` makes, with the byte: a name or opcode off the list, damage, bytes after STOP, more than `OPCODE_LIMIT` opcodes
 */
export function readPickle(bytes: Uint8Array, fault: Fault): Value {
  const machine: Machine = {
    bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    fault,
    opcodeAt: 0,
    at: 0,
    stack: [],
    marks: [],
    memo: new Map(),
  };
  for (let opcodes = 0; ; opcodes++) {
    if (opcodes === OPCODE_LIMIT) throw fault(machine.at, `the pickle has more than ${OPCODE_LIMIT} opcodes`);
    machine.opcodeAt = machine.at;
    const opcode = u8(machine);
    if (opcode === 0x2e) break;
    step(machine, opcode);
  }
  const rest = machine.bytes.byteLength - machine.at;
  if (rest > 0) throw fault(machine.at, `${rest} bytes follow the end of the pickle: something was appended`);
  const value = pop(machine);
  if (machine.stack.length > 0) throw fault(machine.opcodeAt, 'the pickle ends with more than one value');
  return value;
}

function step(machine: Machine, opcode: number): void {
  const { stack, memo } = machine;
  const push = (value: Value): void => void stack.push(value);
  switch (opcode) {
    case 0x80: {
      const protocol = u8(machine);
      if (protocol < 2 || protocol > 5) throw broken(machine, `has pickle protocol ${protocol}; 2 to 5 are read`);
      return;
    }
    case 0x95:
      return void take(machine, 8);
    case 0x28:
      return void machine.marks.push(stack.length);
    case 0x4e:
      return push(null);
    case 0x88:
    case 0x89:
      return push(opcode === 0x88);
    case 0x4a:
      return push(take(machine, 4).readInt32LE());
    case 0x4b:
      return push(u8(machine));
    case 0x4d:
      return push(take(machine, 2).readUInt16LE());
    case 0x8a:
      return push(long(take(machine, u8(machine))));
    case 0x47:
      return push(take(machine, 8).readDoubleBE());
    case 0x58:
      return push(take(machine, take(machine, 4).readUInt32LE()).toString('utf8'));
    case 0x8c:
      return push(take(machine, u8(machine)).toString('utf8'));
    case 0x54:
      return push(take(machine, take(machine, 4).readUInt32LE()).toString('latin1'));
    case 0x55:
      return push(take(machine, u8(machine)).toString('latin1'));
    case 0x29:
      return push({ kind: 'tuple', items: [] });
    case 0x85:
    case 0x86:
    case 0x87:
      return push({ kind: 'tuple', items: Array.from({ length: opcode - 0x84 }, () => pop(machine)).reverse() });
    case 0x74:
      return push({ kind: 'tuple', items: popMark(machine) });
    case 0x5d:
      return push({ kind: 'list', items: [] });
    case 0x8f:
      return push({ kind: 'set', items: [] });
    case 0x7d:
      return push({ kind: 'dict', entries: new Map() });
    case 0x61:
      return append(machine, [pop(machine)]);
    case 0x65:
    case 0x90:
      return append(machine, popMark(machine));
    case 0x73: {
      const value = pop(machine);
      return setItems(machine, [pop(machine), value]);
    }
    case 0x75:
      return setItems(machine, popMark(machine));
    case 0x71:
      return void memo.set(u8(machine), top(machine));
    case 0x72:
      return void memo.set(take(machine, 4).readUInt32LE(), top(machine));
    case 0x94:
      return void memo.set(memo.size, top(machine));
    case 0x68:
      return push(recall(machine, u8(machine)));
    case 0x6a:
      return push(recall(machine, take(machine, 4).readUInt32LE()));
    case 0x63:
    case 0x69: {
      const module = line(machine);
      return push(global(machine, module, line(machine), opcode === 0x69));
    }
    case 0x93: {
      const name = pop(machine);
      const module = pop(machine);
      if (typeof name !== 'string' || typeof module !== 'string') throw broken(machine, 'names something by what is no text');
      return push(global(machine, module, name, false));
    }
    case 0x51:
      return push(storage(machine, pop(machine)));
    case 0x52: {
      const given = pop(machine);
      return push(rebuild(machine, pop(machine), given));
    }
    case 0x62: {
      // state_dict() hangs its `_metadata` on the OrderedDict: of no use here.
      pop(machine);
      const target = kindOf(top(machine));
      if (target !== 'dict' && target !== 'tensor') throw broken(machine, 'sets the state of what is no dict and no tensor');
      return;
    }
    default:
      throw broken(machine, `has opcode 0x${opcode.toString(16).padStart(2, '0')}, which no file of tensors needs; not run, not read`);
  }
}

function broken(machine: Machine, problem: string): Error {
  return machine.fault(machine.opcodeAt, `the pickle ${problem}`);
}

function take(machine: Machine, length: number): Buffer {
  const end = machine.at + length;
  if (end > machine.bytes.byteLength) throw machine.fault(machine.opcodeAt, 'the pickle is cut');
  const bytes = machine.bytes.subarray(machine.at, end);
  machine.at = end;
  return bytes;
}

function u8(machine: Machine): number {
  return take(machine, 1).readUInt8();
}

function line(machine: Machine): string {
  const end = machine.bytes.indexOf(0x0a, machine.at);
  if (end < 0) throw machine.fault(machine.opcodeAt, 'the pickle is cut');
  const length = end - machine.at;
  return take(machine, length + 1).toString('utf8', 0, length);
}

/** Two's complement, little-endian. */
function long(bytes: Buffer): number | bigint {
  let value = 0n;
  for (let i = bytes.byteLength - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i] ?? 0);
  const signed = BigInt.asIntN(8 * bytes.byteLength, value);
  return signed >= BigInt(Number.MIN_SAFE_INTEGER) && signed <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(signed) : signed;
}

function pop(machine: Machine): Value {
  const value = top(machine);
  machine.stack.pop();
  return value;
}

function top(machine: Machine): Value {
  const value = machine.stack.at(-1);
  if (value === undefined || machine.stack.length <= (machine.marks.at(-1) ?? 0)) throw broken(machine, 'takes more values than it has');
  return value;
}

function popMark(machine: Machine): Value[] {
  const mark = machine.marks.pop();
  if (mark === undefined) throw broken(machine, 'takes values up to a mark that it has not set');
  return machine.stack.splice(mark);
}

function recall(machine: Machine, index: number): Value {
  const value = machine.memo.get(index);
  if (value === undefined) throw broken(machine, `recalls value ${index}, which it has not stored`);
  return value;
}

function kindOf(value: Value): string {
  return typeof value === 'object' && value !== null ? value.kind : 'scalar';
}

function append(machine: Machine, items: readonly Value[]): void {
  const target = top(machine);
  if (typeof target !== 'object' || target === null || (target.kind !== 'list' && target.kind !== 'set'))
    throw broken(machine, 'appends to what is no list');
  for (const item of items) target.items.push(item);
}

function setItems(machine: Machine, items: readonly Value[]): void {
  const target = top(machine);
  if (typeof target !== 'object' || target === null || target.kind !== 'dict') throw broken(machine, 'sets items of what is no dict');
  if (items.length % 2 !== 0) throw broken(machine, 'sets a key without a value');
  for (let i = 0; i < items.length; i += 2) {
    const key = items[i] as Value;
    if (target.entries.has(key)) throw broken(machine, `sets the key ${typeof key === 'string' ? quote(key) : 'of a dict'} twice`);
    target.entries.set(key, items[i + 1] as Value);
  }
}

function global(machine: Machine, module: string, member: string, called: boolean): Global {
  const name = `${module}.${member}`;
  const known = CALLED.includes(name) || Object.hasOwn(STORAGES, name) || Object.hasOwn(DTYPES, name);
  if (!known || called) throw broken(machine, `refers to ${quote(name)}; not run, not read`);
  return { kind: 'global', name };
}

function items(value: Value | undefined): Value[] {
  return typeof value === 'object' && value !== null && (value.kind === 'tuple' || value.kind === 'list') ? value.items : [];
}

function nameOf(value: Value | undefined): string {
  return typeof value === 'object' && value !== null && value.kind === 'global' ? value.name : '';
}

function isCount(value: Value | undefined): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0;
}

function storage(machine: Machine, id: Value): Storage {
  const [word, type, key, , elements] = items(id);
  const name = nameOf(type);
  if (word !== 'storage' || !Object.hasOwn(STORAGES, name) || typeof key !== 'string' || !isCount(elements)) {
    throw broken(machine, "describes a storage in a way that is not torch.save's");
  }
  return { kind: 'storage', dtype: STORAGES[name] ?? null, key, elements };
}

function rebuild(machine: Machine, called: Value, given: Value): Value {
  const name = nameOf(called);
  const values = items(given);
  if (name === ORDERED_DICT && values.length === 0) return { kind: 'dict', entries: new Map() };
  if (name === 'torch.Size') return { kind: 'tuple', items: items(values[0]) };
  const [first] = values;
  if (PARAMETERS.includes(name) && typeof first === 'object' && first?.kind === 'tensor') return first;
  if (!REBUILD.includes(name))
    throw broken(machine, `calls ${name === '' ? 'what is no function' : quote(name)} in a way that is not torch.save's`);
  const [, offset, size, stride, , , dtypeGlobal] = values;
  const shape = items(size);
  const steps = items(stride);
  const isStorage = typeof first === 'object' && first?.kind === 'storage';
  if (!isStorage || !isCount(offset) || !shape.every(isCount) || !steps.every(isCount) || shape.length !== steps.length) {
    throw broken(machine, 'describes a tensor with a negative or missing offset, size or stride');
  }
  const dtype = name.endsWith('v3') ? DTYPES[nameOf(dtypeGlobal)] : first.dtype;
  if (dtype === undefined || dtype === null) throw broken(machine, 'describes a tensor without a dtype');
  return { kind: 'tensor', dtype, storage: first, offset, shape: shape.map(Number), stride: steps.map(Number) };
}
