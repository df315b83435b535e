import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  KEPT_FACTORS
} from "./chunk-QBZB7LDU.js";
import {
  createOpRunner
} from "./chunk-DJ56H66L.js";
import {
  loadOnnxRuntime
} from "./chunk-CKWNN2OS.js";
import "./chunk-AHTNRT6P.js";
import {
  init_errors,
  plainError
} from "./chunk-QZ7MPQQF.js";
import "./chunk-H45APEIH.js";

// src/hand.ts
init_errors();
import { parentPort } from "node:worker_threads";
var port = parentPort;
if (port === null) throw new Error("hand.js is started by worker.js, not by hand");
var held = /* @__PURE__ */ new Map();
var runner;
var last = Promise.resolve();
port.on("message", (question) => {
  last = last.then(() => answer(question));
});
async function answer(question) {
  try {
    runner ??= loadOnnxRuntime().then(createOpRunner);
    const outputs = await outputsOf(await runner, question);
    send(
      { outputs },
      Object.values(outputs).map(({ data }) => data.buffer)
    );
  } catch (error) {
    send({ failed: plainError(error) });
  }
}
function outputsOf(ops, question) {
  if (question.kind === "run") return ops.run(question.op, question.recipe, question.inputs);
  return ops.linears(factorsOf(question), question.weight, question.bias, question.softcap);
}
function factorsOf({ number, factors }) {
  if (factors !== null) held.set(number, factors);
  for (const old of [...held.keys()].slice(0, -KEPT_FACTORS)) held.delete(old);
  return held.get(number);
}
function send(said, moved = []) {
  port?.postMessage(said, moved);
}
