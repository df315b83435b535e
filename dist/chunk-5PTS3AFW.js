import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);

// src/verdict/cancelled.ts
function wasCancelled(models) {
  return models.some(({ reasons }) => reasons.some(({ code }) => code === "cancelled"));
}

export {
  wasCancelled
};
