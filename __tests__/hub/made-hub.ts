// What the tests of the Hub share: a loopback Hub, settings that point to it, an impatient client, small models.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { connectHub, PATIENCE, type HubClient, type Patience } from '../../src/hub/http.js';
import { openHub, type HubModel } from '../../src/hub/hub.js';
import { hubReference } from '../../src/hub/reference.js';
import { hubSettings } from '../../src/hub/settings.js';
import { startHub, type HubServer } from '../support/hub-server.js';
import { safetensorsBytes } from '../weights/made-files.js';

/** So that tests of trying again do not wait. For an answer it waits as long as a slow machine may take: see IMPATIENT. */
export const HASTY: Patience = {
  ...PATIENCE,
  idleMs: 3_600_000,
  connectMs: 3_600_000,
  firstWaitMs: 1,
  longestWaitMs: 2,
  longestServerWaitMs: 20,
  progressMs: 0,
};

/** For tests of servers that never answer. */
export const IMPATIENT: Partial<Patience> = { idleMs: 1_000 };

export interface Made {
  readonly hub: HubServer;
  readonly client: HubClient;
  readonly log: string[];
  /** A folder of this test alone: home, caches. */
  readonly home: string;
  readonly env: Record<string, string>;
  open(id: string): Promise<HubModel>;
}

/** Calls `use` with a new Hub and a client of it, then ends both. */
export async function withHub<Result>(
  use: (made: Made) => Promise<Result>,
  options: { env?: Record<string, string>; patience?: Partial<Patience>; server?: Parameters<typeof startHub>[0] } = {},
): Promise<Result> {
  const home = await mkdtemp(join(tmpdir(), 'hub-'));
  const hub = await startHub(options.server);
  const log: string[] = [];
  const env = { HOME: home, HF_ENDPOINT: hub.endpoint, ...options.env };
  const client = connectHub(await hubSettings(env, false), { log: (line) => log.push(line), patience: { ...HASTY, ...options.patience } });
  const open = async (id: string): Promise<HubModel> => {
    const reference = hubReference(id);
    if (reference === null) throw new Error(`${id} is not the name of a model on the Hub`);
    return openHub(reference, client);
  };
  try {
    return await use({ hub, client, log, home, env, open });
  } finally {
    await client.close();
    await hub.close();
    await rm(home, { recursive: true, force: true });
  }
}

/** All of a file of a model, as text. */
export async function textOf(model: HubModel, name: string): Promise<string> {
  return Buffer.from(await bytesOf(model, name)).toString();
}

export async function bytesOf(model: HubModel, name: string, start = 0, end?: number): Promise<Uint8Array> {
  const source = await model.open(name);
  if (source === null) throw new Error(`${name} is not listed`);
  return source.slice(start, end ?? source.byteLength);
}

/** Bytes that differ from place to place. */
export function patterned(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = (i * 31 + (i >>> 8) * 7 + (i >>> 16) * seed) & 0xff;
  return bytes;
}

/** A safetensors file of one U8 tensor. */
export function oneTensor(length: number): Uint8Array {
  return safetensorsBytes(JSON.stringify({ a: { dtype: 'U8', shape: [length], data_offsets: [0, length] } }), patterned(length));
}

/** Whether bytes are the same: `toEqual` takes seconds for megabytes. */
export function same(a: Uint8Array | undefined, b: Uint8Array): boolean {
  return a !== undefined && Buffer.compare(a, b) === 0;
}
