import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  CONTRACTS
} from "./chunk-OWGKBW5B.js";

// src/kernels/expression.ts
var SIZES = ["T", "H", "Nq", "Nkv", "D", "R", "S", "I"];
var MAX_DEPTH = 32;
function parseExpression(text) {
  const source = String(text);
  const tokens = tokenize(source);
  const parser = { tokens, at: 0, source };
  const node = sum(parser, 0);
  if (parser.at < tokens.length) throw unexpected(parser);
  const sizes = /* @__PURE__ */ new Set();
  collect(node, sizes);
  return {
    sizes: [...sizes],
    compute(values) {
      const result = evaluate(node, values);
      if (!Number.isSafeInteger(result) || result < 0)
        throw new RangeError(`${source} is ${result} here; it must be a whole number from 0`);
      return result;
    }
  };
}
function tokenize(source) {
  const tokens = [];
  const pattern = /\s*(?:(\d{1,15})(?![\w.])|([A-Za-z_]\w*)|([-+*/(),]))/y;
  let end = 0;
  while (source.slice(end).trim() !== "") {
    pattern.lastIndex = end;
    const match = pattern.exec(source);
    if (match === null) {
      const at = end + source.slice(end).search(/\S/);
      throw new SyntaxError(
        `${JSON.stringify(source[at])} at character ${at + 1} is not allowed; allowed are whole numbers, names, + - * / ( ) and commas`
      );
    }
    end = pattern.lastIndex;
    tokens.push({ text: match[1] ?? match[2] ?? match[3], at: end });
  }
  return tokens;
}
function peek(parser) {
  return parser.tokens[parser.at]?.text;
}
function unexpected(parser) {
  const token = parser.tokens[parser.at];
  return new SyntaxError(
    token === void 0 ? "it ends too early" : `${JSON.stringify(token.text)} at character ${token.at - token.text.length + 1} does not belong there`
  );
}
function expect(parser, text) {
  if (peek(parser) !== text) throw unexpected(parser);
  parser.at++;
}
function sum(parser, depth) {
  if (depth > MAX_DEPTH) throw new SyntaxError(`brackets are nested deeper than ${MAX_DEPTH}`);
  let node = product(parser, depth);
  for (let op = peek(parser); op === "+" || op === "-"; op = peek(parser)) {
    parser.at++;
    node = { kind: "call", name: op, args: [node, product(parser, depth)] };
  }
  return node;
}
function product(parser, depth) {
  let node = factor(parser, depth);
  for (let op = peek(parser); op === "*" || op === "/"; op = peek(parser)) {
    parser.at++;
    node = { kind: "call", name: op, args: [node, factor(parser, depth)] };
  }
  return node;
}
var FUNCTIONS = /* @__PURE__ */ new Set(["ceil_div", "min", "max"]);
function factor(parser, depth) {
  const text = peek(parser);
  if (text === void 0 || text === ")" || text === "," || text === "+" || text === "*" || text === "/") throw unexpected(parser);
  parser.at++;
  if (text === "(") {
    const inner = sum(parser, depth + 1);
    expect(parser, ")");
    return inner;
  }
  if (text === "-") {
    if (depth >= MAX_DEPTH) throw new SyntaxError(`nested deeper than ${MAX_DEPTH}`);
    return { kind: "call", name: "-", args: [{ kind: "number", value: 0 }, factor(parser, depth + 1)] };
  }
  if (/^\d/.test(text)) return { kind: "number", value: Number(text) };
  if (FUNCTIONS.has(text)) {
    expect(parser, "(");
    const first = sum(parser, depth + 1);
    expect(parser, ",");
    const second = sum(parser, depth + 1);
    expect(parser, ")");
    return { kind: "call", name: text, args: [first, second] };
  }
  if (SIZES.includes(text)) return { kind: "size", name: text };
  throw new SyntaxError(`${JSON.stringify(text)} is not known; known are ${SIZES.join(", ")}, ceil_div, min and max`);
}
function collect(node, into) {
  if (node.kind === "size") into.add(node.name);
  else if (node.kind === "call") for (const arg of node.args) collect(arg, into);
}
function evaluate(node, sizes) {
  if (node.kind === "number") return node.value;
  if (node.kind === "size") {
    const value = sizes[node.name];
    if (value === void 0) throw new RangeError(`${node.name} has no value for this op`);
    return value;
  }
  const [a = 0, b = 0] = node.args.map((arg) => evaluate(arg, sizes));
  switch (node.name) {
    case "+":
      return a + b;
    case "-":
      return a - b;
    case "*":
      return a * b;
    case "min":
      return Math.min(a, b);
    case "max":
      return Math.max(a, b);
    default:
      if (b === 0) throw new RangeError("it divides by 0");
      return node.name === "ceil_div" ? Math.ceil(a / b) : Math.trunc(a / b);
  }
}

// src/kernels/cuda-manifest.ts
function parameters({ args }) {
  return args.map((arg) => {
    const [name = "", type] = arg.split(":");
    return type === void 0 ? { name } : { name, type };
  });
}
function namedTensors(op) {
  const { inputs = [], outputs = [] } = CONTRACTS.get(op) ?? {};
  const taken = new Set(inputs.map(({ name }) => name));
  return [
    ...inputs.map(({ name, optional }) => ({ name, role: "input", tensor: name, optional })),
    ...outputs.map(({ name }) => ({
      name: taken.has(name) ? `out_${name}` : name,
      role: "output",
      tensor: name,
      optional: false
    }))
  ];
}
function sizesOf(op) {
  if (op === "linear") return ["T", "H", "I"];
  const { inputs = [], attributes = [] } = CONTRACTS.get(op) ?? {};
  const named = new Set(inputs.flatMap(({ shape }) => shape));
  const sizeAttributes = { num_heads: "Nq", num_kv_heads: "Nkv", head_dim: "D", rotary_dim: "R" };
  for (const { name } of attributes) if (sizeAttributes[name] !== void 0) named.add(sizeAttributes[name]);
  return SIZES.filter((size) => named.has(size));
}
function cudaProblems(manifest) {
  if ((CONTRACTS.get(manifest.op)?.steps.length ?? 0) === 0) return [`op ${manifest.op} is for backend command`];
  const problems = [...expressionProblems(manifest), ...argumentProblems(manifest)];
  if (typeof manifest.entry === "object") {
    for (const dtype of manifest.dtypes) if (manifest.entry[dtype] === void 0) problems.push(`entry has none for dtype ${dtype}`);
  }
  return problems;
}
function expressionProblems({ op, grid, block, shared_bytes }) {
  const expressions = [
    ...list(grid).map((text, i) => [`grid.${"xyz"[i]}`, text]),
    ...list(block).map((text, i) => [`block.${"xyz"[i]}`, text])
  ];
  const known = sizesOf(op);
  const problems = [];
  for (const [key, text] of shared_bytes === void 0 ? expressions : [...expressions, ["shared_bytes", shared_bytes]]) {
    try {
      const parsed = parseExpression(text);
      const missing = parsed.sizes.find((size) => !known.includes(size));
      if (missing !== void 0) problems.push(`${key} ${JSON.stringify(text)}: ${op} has no ${missing}; it has ${known.join(", ")}`);
      else if (parsed.sizes.length === 0 && parsed.compute({}) === 0 && key !== "shared_bytes")
        problems.push(`${key} ${JSON.stringify(text)}: it must be at least 1`);
    } catch (error) {
      problems.push(`${key} ${JSON.stringify(text)}: ${error.message}`);
    }
  }
  return problems;
}
function argumentProblems(manifest) {
  const { op } = manifest;
  const contract = CONTRACTS.get(op);
  if (contract === void 0) return [];
  const tensors = namedTensors(op);
  const attributes = new Map(contract.attributes.map(({ name, type }) => [name, type]));
  const sizes = sizesOf(op);
  const problems = [];
  for (const { name, type } of parameters(manifest)) {
    const isTensor = tensors.some((tensor) => tensor.name === name);
    const isScalar = sizes.includes(name) || attributes.has(name);
    if (type === void 0) {
      if (isTensor) continue;
      const renamed = tensors.find((tensor) => tensor.tensor === name || `out_${tensor.tensor}` === name);
      const hint = isScalar ? `; a scalar needs its type: "${name}:i32"` : renamed === void 0 ? "" : `; did you mean "${renamed.name}"?`;
      problems.push(`args: "${name}" is no tensor of ${op}${hint || `; its tensors are ${tensors.map((each) => each.name).join(", ")}`}`);
    } else if (!isScalar) {
      const known = [...sizes, ...attributes.keys()].join(", ");
      problems.push(
        `args: "${name}:${type}": ${isTensor ? `${name} is a tensor; write "${name}"` : `${op} has no scalar ${name}; it has ${known}`}`
      );
    } else if (attributes.get(name) === "float" && !type.startsWith("f") || attributes.get(name) === "bool" && type.startsWith("f")) {
      const right = attributes.get(name) === "float" ? "f32 or f64" : "i32 or bool";
      problems.push(`args: "${name}:${type}": ${name} goes to ${right}`);
    }
  }
  const given = new Set(manifest.args);
  for (const { name, role, optional } of tensors) if (!optional && !given.has(name)) problems.push(`args lacks ${role} "${name}" of ${op}`);
  return problems;
}
function list(value) {
  return Array.isArray(value) ? value : [value];
}

export {
  SIZES,
  parseExpression,
  parameters,
  namedTensors,
  cudaProblems,
  list
};
