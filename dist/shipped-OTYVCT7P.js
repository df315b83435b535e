import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  SHIPPED_KERNELS
} from "./chunk-52E5HEIC.js";
import "./chunk-H45APEIH.js";
export {
  SHIPPED_KERNELS
};
