import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  fromPlainError,
  init_errors
} from "./chunk-QZ7MPQQF.js";

// src/reference/hands.ts
init_errors();
import { Worker } from "node:worker_threads";
var KEPT_FACTORS = 2;
var DEPTH = 2;
var LEAST_COST = 2 ** 24;
var WIDENED = 64;
var ELEMENT = 300;
var COPIED = 16;
function startHands(local, count, script) {
  const hands = Array.from({ length: count }, () => ({ worker: null, asked: [], factors: [] }));
  const waiting = [];
  const number = numbers();
  let busy = false;
  const distribute = () => {
    for (let hand = lightest(hands); hand !== void 0 && waiting.length > 0; hand = lightest(hands)) give(hand, waiting.shift());
    if (busy || waiting.length === 0) return;
    busy = true;
    setImmediate(() => {
      const task = waiting.shift();
      const done = task === void 0 ? Promise.resolve() : runWork(local, task.work).then(task.resolve, task.reject);
      void done.then(() => {
        busy = false;
        distribute();
      });
    });
  };
  const give = (hand, task) => {
    try {
      hand.worker ??= startHand(hand, script, distribute);
      const { question, moved } = packed(hand, task.work, number);
      hand.worker.postMessage(question, moved);
      hand.asked.push(task);
    } catch (error) {
      task.reject(error);
    }
  };
  const spread = (work) => {
    const cost = costOf(work);
    if (cost < Math.max(LEAST_COST, 2 * COPIED * copiedBytes(work))) return runWork(local, work);
    return new Promise((resolve, reject) => {
      waiting.push({ work, cost, resolve, reject });
      distribute();
    });
  };
  const linears = async (factors, weight, bias, softcap = 0) => await spread({ kind: "linears", factors, weight, bias, softcap });
  return {
    runner: {
      threads: 1 + count,
      run: async (op, recipe, inputs) => await spread({ kind: "run", op, recipe, inputs }),
      linears,
      linear: async (recipe, x, weight, bias, softcap) => (await linears([{ recipe, x }], weight, bias, softcap))[0]
    },
    async close() {
      await Promise.all(hands.flatMap(({ worker }) => worker?.terminate() ?? []));
    }
  };
}
function numbers() {
  const known = /* @__PURE__ */ new WeakMap();
  let next = 0;
  return (factors) => {
    const number = known.get(factors) ?? next++;
    known.set(factors, number);
    return number;
  };
}
function runWork(local, work) {
  if (work.kind === "run") return local.run(work.op, work.recipe, work.inputs);
  return local.linears(work.factors, work.weight, work.bias, work.softcap);
}
function lightest(hands) {
  const load = ({ asked }) => asked.reduce((sum, { cost }) => sum + cost, 0);
  const free = hands.filter(({ asked }) => asked.length < DEPTH);
  return free.length === 0 ? void 0 : free.reduce((least, hand) => load(hand) < load(least) ? hand : least);
}
function startHand(hand, script, distribute) {
  const worker = new Worker(script);
  const fail = (error) => {
    if (hand.worker !== worker) return;
    const lost = hand.asked;
    Object.assign(hand, { worker: null, asked: [], factors: [] });
    for (const task of lost) task.reject(error);
    distribute();
  };
  worker.on("message", (answer) => {
    const task = hand.asked.shift();
    distribute();
    if ("failed" in answer) task?.reject(fromPlainError(answer.failed));
    else task?.resolve(answer.outputs);
  });
  worker.on("messageerror", fail);
  worker.on("error", (error) => fail(error instanceof Error ? error : new Error(String(error))));
  worker.on("exit", (code) => fail(new Error(`a thread of the reference ended with code ${code} before its op was done`)));
  return worker;
}
function packed(hand, work, number) {
  const moved = [];
  const copy = (data) => {
    const own = data.slice();
    moved.push(own.buffer);
    return own;
  };
  const copied = ({ data, shape }) => ({ data: copy(data), shape });
  if (work.kind === "run") {
    const inputs = Object.fromEntries(Object.entries(work.inputs).map(([name, array]) => [name, copied(array)]));
    return { question: { ...work, inputs }, moved };
  }
  const { weight } = work;
  if (weight.movable === true) moved.push(weight.data.buffer);
  const id = number(work.factors);
  const known = hand.factors.includes(id);
  const question = {
    kind: "linears",
    number: id,
    factors: known ? null : work.factors.map(({ recipe, x }) => ({ recipe, x: copied(x) })),
    weight: weight.movable === true ? weight : { ...weight, data: copy(weight.data) },
    bias: work.bias === null ? null : copy(work.bias),
    softcap: work.softcap
  };
  if (!known) hand.factors = [...hand.factors, id].slice(-KEPT_FACTORS);
  return { question, moved };
}
function costOf(work) {
  if (work.kind === "run") {
    const elements = Object.values(work.inputs).reduce((sum, { data }) => sum + data.length, 0);
    return work.op.op === "attention" ? ELEMENT * elements + attentionCost(work) : ELEMENT * elements;
  }
  const { weight, factors } = work;
  const products = factors.reduce((sum, { recipe, x }) => sum + precision(recipe) * 2 * x.data.length * weight.shape[0], 0);
  return products + (weight.form === "float32" ? 0 : WIDENED * weight.data.length);
}
function attentionCost({ recipe, inputs }) {
  const [queries = 1, heads = 1, size = 1] = inputs["q"]?.shape ?? [];
  const pairs = heads * queries * (inputs["k"]?.shape[0] ?? 1);
  return pairs * (precision(recipe) * 4 * size + ELEMENT);
}
function precision({ compute }) {
  return compute === "float64" ? 2 : 1;
}
function copiedBytes(work) {
  if (work.kind === "linears") return work.weight.movable === true ? 0 : work.weight.data.byteLength;
  return Object.values(work.inputs).reduce((sum, { data }) => sum + data.byteLength, 0);
}

export {
  KEPT_FACTORS,
  startHands
};
