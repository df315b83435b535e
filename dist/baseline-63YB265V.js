import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  compareWithBaseline,
  readBaseline
} from "./chunk-X7YHTLTZ.js";
import "./chunk-S665G4ZQ.js";
import "./chunk-KHIMGIT3.js";
import "./chunk-JUYFWEVH.js";
import "./chunk-HEL6FPUC.js";
import "./chunk-4PW6NF73.js";
import "./chunk-2WZLVRTP.js";
import "./chunk-H45APEIH.js";
export {
  compareWithBaseline,
  readBaseline
};
