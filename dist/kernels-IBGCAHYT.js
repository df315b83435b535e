import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  require_cli_table3
} from "./chunk-RL7SFSGR.js";
import {
  plainName
} from "./chunk-4PW6NF73.js";
import {
  __toESM
} from "./chunk-H45APEIH.js";

// src/report/kernels.ts
var import_cli_table3 = __toESM(require_cli_table3(), 1);
import { basename } from "node:path";
function renderKernels(kernels) {
  const table = new import_cli_table3.default({ head: ["kernel", "op", "backend", "runs", "dtypes"], style: { head: [], border: [] } });
  for (const { name, op, backend, operator, model, dtypes } of kernels) {
    table.push([name, op, backend, operator ?? basename(model ?? ""), dtypes.join(", ")].map((cell) => plainName(cell)));
  }
  return `${table.toString()}
`;
}
export {
  renderKernels
};
