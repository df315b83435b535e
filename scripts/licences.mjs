// The licences of what is really inside the bundle, as text; refuses a package whose licence is not on the list.

import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Blue Oak is minimatch's, which @actions/cache brings: permissive, approved by the OSI, asks for its text or a link to it. */
const ALLOWED = new Set(['MIT', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', 'ISC', '0BSD', 'BlueOak-1.0.0']);

/** Packages that ship no licence file: the holder named in their sources, and the text of the licence they declare. */
const mit = (holder) => `MIT License

Copyright (c) ${holder}

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.`;
const WITHOUT_FILE = new Map([
  ['onnxruntime-common', mit('Microsoft Corporation')],
  ['onnxruntime-node', mit('Microsoft Corporation')],
  ['@nodable/entities', mit('Amit Gupta (https://solothought.com)')],
]);

/** Folders (relative, `/`-separated) of the packages that esbuild put into its outputs. */
function bundledPackages(metafile) {
  const folders = new Set();
  for (const { inputs } of Object.values(metafile.outputs)) {
    for (const path of Object.keys(inputs)) {
      const folder = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/.exec(path)?.[0];
      if (folder !== undefined) folders.add(folder);
    }
  }
  return folders;
}

/** One licence, or several that hold together, as SPDX writes it: `(A AND B)`. */
function isAllowed(license) {
  return String(license)
    .replace(/^\((.*)\)$/, '$1')
    .split(' AND ')
    .every((one) => ALLOWED.has(one));
}

function licenceText(root, folder, name) {
  const files = readdirSync(join(root, folder)).filter((file) => /^(licen[cs]e|copying|notice|thirdpartynotices)/i.test(file));
  const texts = files.sort().map((file) =>
    readFileSync(join(root, folder, file), 'utf8')
      .replaceAll('\r\n', '\n')
      .trim(),
  );
  if (texts.length === 0 && WITHOUT_FILE.has(name)) texts.push(WITHOUT_FILE.get(name));
  if (texts.length === 0) throw new Error(`${folder} has no licence file; its text must be added to scripts/licences.mjs`);
  return texts.join('\n\n');
}

/**
 * @param {string} root folder that the paths in `metafile` start from
 * @param {import('esbuild').Metafile} metafile
 * @returns {string} all licence texts, sorted by package
 */
export function licenceList(root, metafile) {
  const entries = [...bundledPackages(metafile)].map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));
    if (!isAllowed(license)) throw new Error(`${name} ${version} is under ${license}, which is not one of ${[...ALLOWED].join(', ')}`);
    return { title: `${name} ${version} (${license})`, text: licenceText(root, folder, name) };
  });
  entries.sort((a, b) => (a.title < b.title ? -1 : 1));
  const ort = entries.find(({ title }) => title.startsWith('onnxruntime-node '));
  if (ort !== undefined) {
    ort.text =
      `Bundled as JavaScript and, in dist/native, as its libonnxruntime.so.1 and onnxruntime_binding.node. The notices of what that library\n` +
      `links are in ThirdPartyNotices.txt of https://github.com/microsoft/onnxruntime at this version.\n\n${ort.text}`;
  }
  const koffi = entries.find(({ title }) => title.startsWith('koffi '));
  if (koffi !== undefined) {
    const addon = JSON.parse(readFileSync(join(root, 'node_modules/@koromix/koffi-linux-x64/package.json'), 'utf8'));
    if (koffi.title !== `koffi ${addon.version} (${addon.license})`)
      throw new Error(`${addon.name} is not of the version and licence of ${koffi.title}`);
    koffi.text = `Bundled as JavaScript and, in dist/native, as its koffi.node from @koromix/koffi-linux-x64, of the same version and licence.\n\n${koffi.text}`;
  }
  return entries.map(({ title, text }) => `${title}\n${'='.repeat(title.length)}\n${text}\n`).join('\n\n');
}
