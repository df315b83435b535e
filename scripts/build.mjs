// Builds dist/: the bundled Action, CLI and worker, the native runtime and the licence list. The same sources give the same
// bytes from any checkout path and on any Node (esbuild is one Go binary). --outdir FOLDER builds elsewhere; --entry FILE
// (repeatable) bundles other entry points in the same way, for tests.

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { brotliCompressSync, brotliDecompressSync, constants } from 'node:zlib';
import esbuild from 'esbuild';
import { licenceList } from './licences.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const ENTRY_POINTS = {
  action: 'src/action.ts',
  cli: 'src/cli.ts',
  worker: 'src/worker.ts',
  host: 'src/host.ts',
  hand: 'src/hand.ts',
  'actions-cache': 'src/actions-cache.ts',
};
const NATIVE = 'native/linux-x64';
/** In the order of NativeManifest: the addon first. */
const NATIVE_FILES = ['onnxruntime_binding.node', 'libonnxruntime.so.1'];
const ORT = join(ROOT, 'node_modules/onnxruntime-node');
const KOFFI = join(ROOT, 'node_modules/koffi');
const KOFFI_ADDON = join(ROOT, 'node_modules/@koromix/koffi-linux-x64/linux_x64');

/** onnxruntime-node requires its addon from a path inside its own package; in the bundle the addon is src/reference/native.ts's. */
const nativeAddon = {
  name: 'native-addon',
  setup(build) {
    build.onLoad({ filter: /onnxruntime-node\/dist\/binding\.js$/ }, ({ path }) => {
      const source = readFileSync(path, 'utf8');
      const addon = /require\(`\.\.\/bin\/[^`]*\.node`\)/g;
      if (source.match(addon)?.length !== 1) throw new Error(`${path} no longer requires its addon in the way this plugin replaces`);
      return { contents: source.replace(addon, "require('#native').nativeBinding()"), loader: 'js' };
    });
    build.onResolve({ filter: /^#native$/ }, () => ({ path: join(ROOT, 'src/reference/native.ts') }));
  },
};

/** koffi looks for its addon beside itself; in the bundle that is src/reference/native.ts's too. */
const koffiAddon = {
  name: 'koffi-addon',
  setup(build) {
    build.onLoad({ filter: /koffi\/src\/koffi\/indirect\.js$/ }, ({ path }) => {
      const source = readFileSync(path, 'utf8');
      const search = 'loadDynamic(import.meta.dirname, pkg, triplets)';
      if (source.split(search).length !== 2) throw new Error(`${path} no longer gets its addon in the way this plugin replaces`);
      return { contents: `import { nativeKoffi } from '#native';\n${source.replace(search, 'nativeKoffi()')}`, loader: 'js' };
    });
  },
};

/**
 * `import('a-commonjs-package')` gives its names in Node, but with esbuild's code splitting only `default`. So such an import
 * goes to a module made here, which exports what Node would.
 */
const commonJsNames = {
  name: 'commonjs-names',
  setup(build) {
    build.onResolve({ filter: /^[@a-z]/ }, async ({ path, kind, resolveDir, pluginData }) => {
      if (kind !== 'dynamic-import' || pluginData === commonJsNames || isBuiltin(path)) return undefined;
      const resolved = await build.resolve(path, { kind, resolveDir, pluginData: commonJsNames });
      return isCommonJs(resolved.path) ? { path, namespace: 'commonjs-names', pluginData: resolveDir } : undefined;
    });
    build.onLoad({ filter: /.*/, namespace: 'commonjs-names' }, async ({ path, pluginData: resolveDir }) => {
      const names = Object.keys(await import(path)).filter((name) => !/^(default|module\.exports|__esModule)$/.test(name));
      const contents = `const all = require(${JSON.stringify(path)}); export default all; export const { ${names.join(', ')} } = all;`;
      return { contents, resolveDir };
    });
  },
};

/** As Node decides it: by extension, else by the nearest package.json. */
function isCommonJs(path) {
  if (/\.[cm]js$/.test(path)) return path.endsWith('.cjs');
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    const manifest = join(folder, 'package.json');
    if (existsSync(manifest)) return JSON.parse(readFileSync(manifest, 'utf8')).type !== 'module';
  }
}

/** Of all sources and of the packages' versions: results of the reference that other sources left are not taken (src/reference/kept-folder.ts). */
function sourcesHash() {
  const files = readdirSync(join(ROOT, 'src'), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = files.map(({ parentPath, name }) => relative(ROOT, join(parentPath, name)).replaceAll('\\', '/'));
  const hash = createHash('sha256');
  for (const path of [...paths, 'package-lock.json'].sort()) hash.update(`${path}\n`).update(readFileSync(join(ROOT, path)));
  return hash.digest('hex');
}

const versionOf = (folder) => JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).version;

async function bundle(entryPoints, outdir) {
  const { metafile } = await esbuild.build({
    absWorkingDir: ROOT,
    entryPoints,
    outdir,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    define: {
      BUNDLED_SOURCES: JSON.stringify(sourcesHash()),
      BUNDLED_ONNXRUNTIME: JSON.stringify(versionOf(ORT)),
      BUNDLED_KOFFI: JSON.stringify(versionOf(KOFFI)),
      // CommonJS names that Emscripten's code in @agnai/sentencepiece-js reads, and require() for Node's own modules below.
      __filename: 'import.meta.filename',
      __dirname: 'import.meta.dirname',
    },
    banner: { js: "import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);" },
    plugins: [nativeAddon, koffiAddon, commonJsNames],
    // Our own code is not minified: what runs can be read and reviewed.
    legalComments: 'none',
    charset: 'utf8',
    preserveSymlinks: true,
    metafile: true,
    logLevel: 'warning',
  });
  return metafile;
}

/** Part of a bundled file that is our own code, from which on it stays as it was written. */
const OWN = 0.01;

/** Takes blanks and comments out of files that are packages' code: dist/ is a third of what a checkout of this repository loads. Names stay, for stacks. */
function minifyPackages(outdir, { outputs }) {
  for (const [path, { inputs, bytes }] of Object.entries(outputs)) {
    const own = Object.entries(inputs).filter(([input]) => input.startsWith('src/'));
    if (own.reduce((sum, [, { bytesInOutput }]) => sum + bytesInOutput, 0) > OWN * bytes) continue;
    const file = join(outdir, basename(path));
    // CommonJS modules only, one by one: they have no part in what the file imports and exports, and the comments between modules stay, off which is
    // read what is in a file and what of it is evaluated.
    const modules = readFileSync(file, 'utf8').split(/^(?=\/\/ (?:node_modules|src)\/|export \{)/m);
    const code = modules.map((text) => {
      const [name = '', first = ''] = text.split('\n', 2);
      if (!/^var require_\w+ = __commonJS\(\{$/.test(first)) return text;
      return `${name}\n${esbuild.transformSync(text, { minifyWhitespace: true, legalComments: 'none', charset: 'utf8' }).code}`;
    });
    writeFileSync(file, code.join(''));
  }
}

/** Writes the brotli files and their manifest; those already in `kept` that hold the same bytes are taken as they are, because compressing takes two minutes. */
function packNative(target, kept) {
  mkdirSync(target, { recursive: true });
  const pack = (from, name) => {
    const content = readFileSync(join(from, name));
    const packed = keptPack(join(kept, `${name}.br`), content) ?? compress(content);
    writeFileSync(join(target, `${name}.br`), packed);
    return { name, bytes: content.length, sha256: createHash('sha256').update(content).digest('hex') };
  };
  const write = (name, manifest) => writeFileSync(join(target, name), `${JSON.stringify(manifest, null, 2)}\n`);
  write('manifest.json', {
    onnxruntime: versionOf(ORT),
    files: NATIVE_FILES.map((name) => pack(join(ORT, 'bin/napi-v6/linux/x64'), name)),
  });
  write('koffi.json', { koffi: versionOf(KOFFI), files: [pack(KOFFI_ADDON, 'koffi.node')] });
}

function keptPack(path, content) {
  if (!existsSync(path)) return undefined;
  const packed = readFileSync(path);
  try {
    return brotliDecompressSync(packed).equals(content) ? packed : undefined;
  } catch {
    return undefined; // damaged: packed again
  }
}

function compress(content) {
  return brotliCompressSync(content, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY,
      // 16 MiB, the most that every decoder knows. A window over the whole library would save 30 kB of 12.66 MB.
      [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS,
      [constants.BROTLI_PARAM_SIZE_HINT]: content.length,
    },
  });
}

/** Builds everything into `outdir`, which afterwards holds nothing else. */
async function build(outdir) {
  mkdirSync(outdir, { recursive: true });
  for (const name of readdirSync(outdir)) if (name !== 'native') rmSync(join(outdir, name), { recursive: true });
  const metafile = await bundle(ENTRY_POINTS, outdir);
  minifyPackages(outdir, metafile);
  writeFileSync(join(outdir, 'package.json'), '{ "type": "module" }\n');
  writeFileSync(join(outdir, 'licenses.txt'), licenceList(ROOT, metafile));
  packNative(join(outdir, NATIVE), join(ROOT, 'dist', NATIVE));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: { outdir: { type: 'string', default: join(ROOT, 'dist') }, entry: { type: 'string', multiple: true } },
  });
  const outdir = resolve(values.outdir);
  if (values.entry === undefined) {
    await build(outdir);
  } else {
    await bundle(
      values.entry.map((entry) => resolve(entry)),
      outdir,
    );
    packNative(join(outdir, NATIVE), join(ROOT, 'dist', NATIVE));
  }
}
