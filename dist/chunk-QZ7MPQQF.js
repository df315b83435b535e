import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  __esm
} from "./chunk-H45APEIH.js";

// src/errors.ts
function plainError(error) {
  return {
    code: error instanceof ModelError ? error.code : null,
    message: error instanceof Error ? error.message : String(error),
    stack: error instanceof Error ? error.stack ?? null : null
  };
}
function fromPlainError({ code, message, stack }) {
  if (code !== null) return new ModelError(code, message);
  const error = new Error(message);
  if (stack !== null) error.stack = stack;
  return error;
}
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
  plainError,
  fromPlainError,
  init_errors
};
