import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  SHIPPED_KERNELS,
  unfusedName
} from "./chunk-CPDI2S7W.js";
import "./chunk-H45APEIH.js";
export {
  SHIPPED_KERNELS,
  unfusedName
};
