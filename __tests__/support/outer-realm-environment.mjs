// Jest's Node environment, but with the outer realm's typed arrays: onnxruntime-node refuses arrays made
// inside jest's VM context ("A float32 tensor's data must be type of function Float32Array()"). And with patient timers, also for jest's own limits.
import { TestEnvironment } from 'jest-environment-node';
import { makePatient } from './patient-timers.mjs';

const SHARED = [
  'ArrayBuffer',
  'SharedArrayBuffer',
  'DataView',
  'Float32Array',
  'Float64Array',
  'BigInt64Array',
  'BigUint64Array',
  'Int8Array',
  'Int16Array',
  'Int32Array',
  'Uint8Array',
  'Uint16Array',
  'Uint32Array',
];

export default class OuterRealmEnvironment extends TestEnvironment {
  constructor(config, context) {
    super(config, context);
    // Here, because process.env inside the context is a copy (why it is set: src/reference/runtime.ts).
    process.env.ORT_DISABLE_TELEMETRY = '1';
    for (const name of SHARED) this.global[name] = globalThis[name];
    makePatient(this.global);
  }
}
