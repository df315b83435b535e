import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  renderGateLine,
  renderTerminal
} from "./chunk-PQFZO2KN.js";
import "./chunk-RL7SFSGR.js";
import "./chunk-YLIEQIIC.js";
import "./chunk-PWNSI2Q6.js";
import "./chunk-HEL6FPUC.js";
import "./chunk-4PW6NF73.js";
import "./chunk-H45APEIH.js";
export {
  renderGateLine,
  renderTerminal
};
