import { createRequire as createRequire_ } from 'node:module'; const require = createRequire_(import.meta.url);
import {
  ModelError,
  init_errors
} from "./chunk-QZ7MPQQF.js";
import {
  __esm,
  __export
} from "./chunk-H45APEIH.js";

// src/reference/native.ts
var native_exports = {};
__export(native_exports, {
  firstLine: () => firstLine,
  loadNative: () => loadNative,
  loadPacked: () => loadPacked,
  nativeBinding: () => nativeBinding,
  nativeKoffi: () => nativeKoffi
});
import { createHash, randomUUID } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { lstat, mkdir, readFile, rename, rm } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { isAbsolute, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { getEnvironmentData, setEnvironmentData } from "node:worker_threads";
import { createBrotliDecompress } from "node:zlib";
function nativeBinding() {
  return binding;
}
function nativeKoffi() {
  return koffi;
}
function setBinding(loaded) {
  binding = loaded;
}
function setKoffi(loaded) {
  koffi = loaded;
}
function loadNative(source) {
  return loadPacked("onnxruntime", source);
}
async function loadPacked(name, { folder, env, load }) {
  const library = LIBRARIES[name];
  const checked = getEnvironmentData(library.checkedPath);
  if (typeof checked === "string") {
    library.loaded(load(checked));
    return;
  }
  const manifest = JSON.parse(await readFile(join(folder, library.manifest), "utf8"));
  const refused = [];
  for (const root of cacheRoots(env)) {
    try {
      const path = await place(folder, `${name}-${manifest[name] ?? ""}`, manifest, root);
      library.loaded(load(path));
      setEnvironmentData(library.checkedPath, path);
      return;
    } catch (error) {
      if (error instanceof ModelError) throw error;
      const reason = firstLine(error);
      if (LACKS_SYSTEM_LIBRARY.test(reason)) throw lacksSystemLibrary(library, reason);
      refused.push(`${root}: ${reason}`);
    }
  }
  throw new ModelError(
    "no_runtime",
    `${library.title} could not be unpacked and loaded from any cache folder (${refused.join("; ")}): set XDG_CACHE_HOME to a folder of your own, with ${library.space} free, that no one else can write to and that allows programs to run.`
  );
}
function lacksSystemLibrary({ title, system }, reason) {
  return new ModelError(
    "no_runtime",
    `${title} needs ${system}, which this system does not have (${reason}): use a Debian, Ubuntu, Fedora or Red Hat image (not Alpine, whose libc is musl), from 2019 or later.`
  );
}
function cacheRoots(env) {
  const bases = [env.RUNNER_TOOL_CACHE, env.XDG_CACHE_HOME ?? join(env.HOME ?? homedir(), ".cache")];
  const roots = bases.filter((base) => base !== void 0 && isAbsolute(base)).map((base) => join(base, "fused-compat"));
  return [.../* @__PURE__ */ new Set([...roots, join(env.TMPDIR ?? tmpdir(), `fused-compat-${String(process.getuid?.() ?? "user")}`)])];
}
async function place(folder, name, manifest, root) {
  const key = createHash("sha256").update(JSON.stringify(manifest)).digest("hex").slice(0, 16);
  const target = join(root, `${name}-${key}`);
  await makePrivate(root);
  await makePrivate(target);
  for (const file of manifest.files) {
    const path = join(target, file.name);
    if (await sha256(path) !== file.sha256) await unpack(join(folder, `${file.name}.br`), file, path);
  }
  return join(target, manifest.files[0].name);
}
async function makePrivate(path) {
  await mkdir(path, { recursive: true, mode: 448 });
  const stats = await lstat(path);
  if (!stats.isDirectory()) throw new Error("not a folder");
  if (process.getuid !== void 0 && stats.uid !== process.getuid()) throw new Error("belongs to another user");
  if ((stats.mode & 18) !== 0) throw new Error("other users can write to it");
}
async function sha256(path) {
  const hash = createHash("sha256");
  try {
    await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
  } catch (error) {
    if (error.code === "ENOENT") return null;
    throw error;
  }
  return hash.digest("hex");
}
async function unpack(packed, file, path) {
  const temporary = `${path}.${randomUUID()}`;
  const hash = createHash("sha256");
  let bytes = 0;
  try {
    const decoder = createBrotliDecompress({ chunkSize: 1 << 20 });
    const count = async function* (chunks) {
      for await (const chunk of chunks) {
        bytes += chunk.length;
        if (bytes > file.bytes) return;
        hash.update(chunk);
        yield chunk;
      }
    };
    await pipeline(createReadStream(packed), decoder, count, createWriteStream(temporary, { flags: "wx", mode: 384 }));
    if (bytes !== file.bytes || hash.digest("hex") !== file.sha256) throw new Error("other content");
    await rename(temporary, path);
  } catch (error) {
    const { syscall, path: at } = error;
    throw syscall === void 0 || at === packed ? damaged(packed) : error;
  } finally {
    await rm(temporary, { force: true });
  }
}
function damaged(packed) {
  return new ModelError(
    "no_runtime",
    `${packed} is damaged (its content does not have the hash in its manifest): check fused-compat out again.`
  );
}
function firstLine(error) {
  return String(error instanceof Error ? error.message : error).split("\n", 1)[0] ?? "";
}
var LIBRARIES, binding, koffi, LACKS_SYSTEM_LIBRARY;
var init_native = __esm({
  "src/reference/native.ts"() {
    "use strict";
    init_errors();
    LIBRARIES = {
      onnxruntime: {
        manifest: "manifest.json",
        title: "ONNX Runtime",
        space: "50 MB",
        system: "glibc 2.28 or newer and libstdc++",
        loaded: setBinding,
        /** Handed to worker threads at their start: the addon's path, once this process has checked and loaded it. */
        checkedPath: "fused-compat:onnxruntime-binding"
      },
      koffi: {
        manifest: "koffi.json",
        title: "koffi",
        space: "2 MB",
        system: "glibc 2.28 or newer and libstdc++",
        loaded: setKoffi,
        checkedPath: "fused-compat:koffi"
      }
    };
    LACKS_SYSTEM_LIBRARY = /GLIBC|CXXABI|cannot open shared object|Error loading shared library|Error relocating|undefined symbol/;
  }
});

export {
  nativeKoffi,
  loadNative,
  loadPacked,
  firstLine,
  native_exports,
  init_native
};
