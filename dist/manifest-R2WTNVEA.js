import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  loadManifests
} from "./chunk-QZM43P7H.js";
import "./chunk-2WZLVRTP.js";
import "./chunk-JLC4LN5G.js";
import "./chunk-OWGKBW5B.js";
import "./chunk-NAEFPM7V.js";
import "./chunk-QZ7MPQQF.js";
import "./chunk-H45APEIH.js";
export {
  loadManifests
};
