import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);

// src/report/types.ts
var VERDICTS = ["INCOMPATIBLE", "IMPLEMENTATION_ISSUE", "INCONCLUSIVE", "WARNING", "COMPATIBLE"];

export {
  VERDICTS
};
