// Arithmetic in manifests (grid, block, shared memory): parsed and computed here, never evaluated as code.

/** Names that an expression may use: tokens, hidden size, heads, head_dim, rotary_dim, key positions, intermediate size. */
export const SIZES = ['T', 'H', 'Nq', 'Nkv', 'D', 'R', 'S', 'I'] as const;
export type Size = (typeof SIZES)[number];

/** Sizes of a call; those that the op does not have are absent. */
export type Sizes = Readonly<Partial<Record<Size, number>>>;

/** Brackets and minus signs may nest this deep: far beyond any launch configuration, far below the stack. */
const MAX_DEPTH = 32;

type Node =
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'size'; readonly name: Size }
  | { readonly kind: 'call'; readonly name: string; readonly args: readonly Node[] };

export interface ParsedExpression {
  /** Sizes it needs. */
  readonly sizes: readonly Size[];
  /** @throws RangeError in one sentence: a size that the call does not have, division by 0, no whole number, negative, over 2^53 */
  compute(sizes: Sizes): number;
}

/**
 * Parses `ceil_div(T, 64) * Nq`. `/` is whole-number division, rounding down, as in CUDA.
 * @throws SyntaxError saying what is wrong and where
 */
export function parseExpression(text: string | number): ParsedExpression {
  const source = String(text);
  const tokens = tokenize(source);
  const parser = { tokens, at: 0, source };
  const node = sum(parser, 0);
  if (parser.at < tokens.length) throw unexpected(parser);
  const sizes = new Set<Size>();
  collect(node, sizes);
  return {
    sizes: [...sizes],
    compute(values) {
      const result = evaluate(node, values);
      if (!Number.isSafeInteger(result) || result < 0)
        throw new RangeError(`${source} is ${result} here; it must be a whole number from 0`);
      return result;
    },
  };
}

interface Token {
  readonly text: string;
  readonly at: number;
}

interface Parser {
  readonly tokens: readonly Token[];
  readonly source: string;
  at: number;
}

function tokenize(source: string): Token[] {
  const tokens: Token[] = [];
  const pattern = /\s*(?:(\d{1,15})(?![\w.])|([A-Za-z_]\w*)|([-+*/(),]))/y;
  let end = 0;
  while (source.slice(end).trim() !== '') {
    pattern.lastIndex = end;
    const match = pattern.exec(source);
    if (match === null) {
      const at = end + source.slice(end).search(/\S/);
      throw new SyntaxError(
        `${JSON.stringify(source[at])} at character ${at + 1} is not allowed; allowed are whole numbers, names, + - * / ( ) and commas`,
      );
    }
    end = pattern.lastIndex;
    tokens.push({ text: match[1] ?? match[2] ?? (match[3] as string), at: end });
  }
  return tokens;
}

function peek(parser: Parser): string | undefined {
  return parser.tokens[parser.at]?.text;
}

function unexpected(parser: Parser): SyntaxError {
  const token = parser.tokens[parser.at];
  return new SyntaxError(
    token === undefined
      ? 'it ends too early'
      : `${JSON.stringify(token.text)} at character ${token.at - token.text.length + 1} does not belong there`,
  );
}

function expect(parser: Parser, text: string): void {
  if (peek(parser) !== text) throw unexpected(parser);
  parser.at++;
}

function sum(parser: Parser, depth: number): Node {
  if (depth > MAX_DEPTH) throw new SyntaxError(`brackets are nested deeper than ${MAX_DEPTH}`);
  let node = product(parser, depth);
  for (let op = peek(parser); op === '+' || op === '-'; op = peek(parser)) {
    parser.at++;
    node = { kind: 'call', name: op, args: [node, product(parser, depth)] };
  }
  return node;
}

function product(parser: Parser, depth: number): Node {
  let node = factor(parser, depth);
  for (let op = peek(parser); op === '*' || op === '/'; op = peek(parser)) {
    parser.at++;
    node = { kind: 'call', name: op, args: [node, factor(parser, depth)] };
  }
  return node;
}

const FUNCTIONS = new Set(['ceil_div', 'min', 'max']);

function factor(parser: Parser, depth: number): Node {
  const text = peek(parser);
  if (text === undefined || text === ')' || text === ',' || text === '+' || text === '*' || text === '/') throw unexpected(parser);
  parser.at++;
  if (text === '(') {
    const inner = sum(parser, depth + 1);
    expect(parser, ')');
    return inner;
  }
  if (text === '-') {
    if (depth >= MAX_DEPTH) throw new SyntaxError(`nested deeper than ${MAX_DEPTH}`);
    return { kind: 'call', name: '-', args: [{ kind: 'number', value: 0 }, factor(parser, depth + 1)] };
  }
  if (/^\d/.test(text)) return { kind: 'number', value: Number(text) };
  if (FUNCTIONS.has(text)) {
    expect(parser, '(');
    const first = sum(parser, depth + 1);
    expect(parser, ',');
    const second = sum(parser, depth + 1);
    expect(parser, ')');
    return { kind: 'call', name: text, args: [first, second] };
  }
  if ((SIZES as readonly string[]).includes(text)) return { kind: 'size', name: text as Size };
  throw new SyntaxError(`${JSON.stringify(text)} is not known; known are ${SIZES.join(', ')}, ceil_div, min and max`);
}

function collect(node: Node, into: Set<Size>): void {
  if (node.kind === 'size') into.add(node.name);
  else if (node.kind === 'call') for (const arg of node.args) collect(arg, into);
}

function evaluate(node: Node, sizes: Sizes): number {
  if (node.kind === 'number') return node.value;
  if (node.kind === 'size') {
    const value = sizes[node.name];
    if (value === undefined) throw new RangeError(`${node.name} has no value for this op`);
    return value;
  }
  const [a = 0, b = 0] = node.args.map((arg) => evaluate(arg, sizes));
  switch (node.name) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case 'min':
      return Math.min(a, b);
    case 'max':
      return Math.max(a, b);
    default:
      if (b === 0) throw new RangeError('it divides by 0');
      return node.name === 'ceil_div' ? Math.ceil(a / b) : Math.trunc(a / b);
  }
}
