// A download in a process of its own, that tests kill. The sources are bundled first: Node 20 reads no TypeScript.
import { build } from 'esbuild';
import { mkdtemp, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const [id, name] = process.argv.slice(2);
const source = `
  export { downloadModel } from './download.js';
  export { connectHub } from './http.js';
  export { openHub } from './hub.js';
  export { hubReference } from './reference.js';
  export { hubSettings } from './settings.js';
`;
const folder = await mkdtemp(join(here, '../../node_modules/.fused-compat-test-'));
const outfile = join(folder, 'download.mjs');
await build({
  stdin: { contents: source, resolveDir: join(here, '../../src/hub') },
  bundle: true,
  platform: 'node',
  format: 'esm',
  packages: 'external',
  outfile,
  logLevel: 'error',
});
const { connectHub, downloadModel, hubReference, hubSettings, openHub } = await import(pathToFileURL(outfile).href);
await rm(folder, { recursive: true });
const client = connectHub(await hubSettings(process.env, false));
const reference = hubReference(id);
console.log(await downloadModel(await openHub(reference, client), reference, [name], client));
await client.close();
