import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  attemptOf,
  eventOfReports,
  readEvent
} from "./chunk-YKJODRZD.js";
import "./chunk-H45APEIH.js";
export {
  attemptOf,
  eventOfReports,
  readEvent
};
