// What a file is when it is not what its name says: pointers, web pages, archives, other formats. Only its first bytes are looked at.

/** As many bytes as `describeForeign` makes use of. */
export const FOREIGN_BYTES = 512;

const SIGNATURES: readonly (readonly [number[], string])[] = [
  [[0x50, 0x4b, 0x03, 0x04], 'this is a zip archive (a PyTorch .bin checkpoint?), not safetensors. Convert it to safetensors'],
  [[0x50, 0x4b, 0x05, 0x06], 'this is an empty zip archive, not safetensors'],
  [[0x47, 0x47, 0x55, 0x46], 'this is a GGUF file, not safetensors. Use the safetensors version of the model'],
  [[0x1f, 0x8b], 'this is a gzip archive, not safetensors. Unpack it'],
];

/**
 * Says what a file's first bytes are and what to do about it; `null` when they are nothing known. Only for files that were refused
 * already: a valid header length may happen to look like one of these.
 */
export function describeForeign(start: Uint8Array): string | null {
  const text = Buffer.from(start.buffer, start.byteOffset, Math.min(start.byteLength, FOREIGN_BYTES)).toString('latin1');
  if (text.startsWith('version https://git-lfs')) return describePointer(text);
  if (/^\s*<(?:!doctype|html|head|\?xml)/i.test(text)) {
    return 'this is a web page, not a model file: a proxy or a login page answered the download. Download it again';
  }
  const signature = SIGNATURES.find(([bytes]) => bytes.every((byte, index) => start[index] === byte));
  if (signature !== undefined) return signature[1];
  const protocol = start[1] ?? 0;
  if (start[0] === 0x80 && protocol >= 2 && protocol <= 5) {
    return 'this is a Python pickle (a PyTorch checkpoint?), not safetensors. Convert it to safetensors';
  }
  if (start.byteLength > 0 && start.every((byte) => byte === 0)) {
    return `the first ${start.byteLength} bytes are all zero: the download did not complete. Download it again`;
  }
  return null;
}

/** Says that JSON stands where a binary file should begin: servers send their errors so. */
export function describeJsonText(start: Uint8Array): string | null {
  const text = Buffer.from(start.buffer, start.byteOffset, Math.min(start.byteLength, FOREIGN_BYTES)).toString('latin1');
  return /^\s*\{\s*"/.test(text)
    ? 'this is JSON text, not safetensors: a server answered the download with a message. Download it again'
    : null;
}

function describePointer(text: string): string {
  const hash = /\noid sha256:([0-9a-f]{64})\n/.exec(text)?.[1];
  const size = /\nsize ([0-9]{1,16})\s/.exec(text)?.[1];
  const of = hash === undefined ? '' : ` for sha256 ${hash}`;
  return `this is a Git LFS pointer${of}${size === undefined ? '' : `, ${size} bytes`}, not the file itself. Run "git lfs pull" in the model folder`;
}
