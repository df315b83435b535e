import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  __esm
} from "./chunk-H45APEIH.js";

// src/errors.ts
var UsageError, ModelError;
var init_errors = __esm({
  "src/errors.ts"() {
    "use strict";
    UsageError = class extends Error {
      name = "UsageError";
    };
    ModelError = class extends Error {
      constructor(code, message) {
        super(message);
        this.code = code;
      }
      code;
      name = "ModelError";
    };
  }
});

export {
  UsageError,
  ModelError,
  init_errors
};
