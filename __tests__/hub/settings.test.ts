import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { describe, expect, test } from '@jest/globals';

import { UsageError } from '../../src/errors.js';
import { isInternalHost, publicLookup } from '../../src/hub/addresses.js';
import { redirected } from '../../src/hub/http.js';
import { hubReference } from '../../src/hub/reference.js';
import { hubSettings } from '../../src/hub/settings.js';
import { withFolder } from '../weights/made-files.js';

const inHome = (use: (home: string) => Promise<void>): Promise<void> => withFolder({}, use);

describe('the settings of the Hub', () => {
  test('without any variable are those of huggingface_hub', () =>
    inHome(async (HOME) => {
      const settings = await hubSettings({ HOME }, false);
      expect(settings).toMatchObject({ endpoint: 'https://huggingface.co', token: null, offline: false, inActions: false });
      expect(settings.hubCache).toBe(join(HOME, '.cache/huggingface/hub'));
      expect(settings.cache).toBe(join(HOME, '.cache/fused-compat'));
      expect(settings.proxyFor(new URL('https://huggingface.co'))).toBeNull();
    }));

  test('follow HF_ENDPOINT, HF_HOME, HF_HUB_CACHE, XDG_CACHE_HOME and FUSED_COMPAT_CACHE', async () => {
    const caches = async (env: Record<string, string>): Promise<string[]> => {
      const { hubCache, cache } = await hubSettings({ HOME: '/h', ...env }, false);
      return [hubCache, cache];
    };
    expect(await caches({ HF_HOME: '/hf' })).toEqual(['/hf/hub', '/h/.cache/fused-compat']);
    expect(await caches({ HF_HOME: '/hf', HF_HUB_CACHE: '~/x' })).toEqual(['/h/x', '/h/.cache/fused-compat']);
    expect(await caches({ XDG_CACHE_HOME: '/c', FUSED_COMPAT_CACHE: '/f' })).toEqual(['/c/huggingface/hub', '/f']);
    expect((await hubSettings({ HOME: '/h', HF_ENDPOINT: 'https://mirror.example/api/hub/' }, false)).endpoint).toBe(
      'https://mirror.example/api/hub',
    );
  });

  test.each(['1', 'ON', 'yes', 'True'])('are offline with HF_HUB_OFFLINE=%s', async (value) => {
    expect((await hubSettings({ HOME: '/h', HF_HUB_OFFLINE: value }, false)).offline).toBe(true);
    expect((await hubSettings({ HOME: '/h', TRANSFORMERS_OFFLINE: value }, false)).offline).toBe(true);
  });

  test('are offline with --offline, and not with HF_HUB_OFFLINE=0', async () => {
    expect((await hubSettings({ HOME: '/h' }, true)).offline).toBe(true);
    expect((await hubSettings({ HOME: '/h', HF_HUB_OFFLINE: '0' }, false)).offline).toBe(false);
  });

  test('take HF_TOKEN first, then the stored token, which goes to huggingface.co alone', () =>
    inHome(async (HOME) => {
      await mkdir(join(HOME, '.cache/huggingface'), { recursive: true });
      await writeFile(join(HOME, '.cache/huggingface/token'), 'hf_stored\n');
      await writeFile(join(HOME, 'other'), 'hf_other');
      const token = async (env: Record<string, string>): Promise<string | null> => (await hubSettings({ HOME, ...env }, false)).token;
      expect(await token({})).toBe('hf_stored');
      expect(await token({ HF_TOKEN_PATH: join(HOME, 'other') })).toBe('hf_other');
      expect(await token({ HF_TOKEN: ' hf_given\n' })).toBe('hf_given');
      expect(await token({ HF_HUB_DISABLE_IMPLICIT_TOKEN: '1' })).toBeNull();
      expect(await token({ HF_ENDPOINT: 'https://mirror.example' })).toBeNull();
      expect(await token({ HF_ENDPOINT: 'https://mirror.example', HF_TOKEN: 'hf_given' })).toBe('hf_given');
    }));

  test.each([
    [{ HF_ENDPOINT: 'hub.example' }, /HF_ENDPOINT: "hub\.example" is not the address/],
    [{ HF_ENDPOINT: 'file:///x' }, /HF_ENDPOINT/],
    [{ HF_ENDPOINT: 'https://u:p@hub.example' }, /must not hold a user name or password/],
    [{ HF_TOKEN: 'a b' }, /^HF_TOKEN: the token holds a space/],
    [{ HF_TOKEN: 'hf_x\r\nhost: evil' }, /^HF_TOKEN/],
    [{ HTTPS_PROXY: 'socks5://u:secret@x' }, /^HTTPS_PROXY: is not the URL/],
  ])('that cannot be right are refused: %j', async (env, message) => {
    const error: unknown = await hubSettings({ HOME: '/h', ...env }, false).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(UsageError);
    expect((error as UsageError).message).toMatch(message);
    expect((error as UsageError).message).not.toContain('secret');
  });

  test('choose the proxy by protocol, lower case first, and leave out what NO_PROXY names', async () => {
    const env = {
      https_proxy: 'http://low:1',
      HTTPS_PROXY: 'http://up:1',
      HTTP_PROXY: 'plain:2',
      NO_PROXY: 'a.example,.b.example:8443 *.c.example,[::1]',
    };
    const { proxyFor } = await hubSettings({ HOME: '/h', ...env }, false);
    const of = (url: string): string | null => proxyFor(new URL(url));
    expect(of('https://huggingface.co')).toBe('http://low:1');
    expect(of('http://huggingface.co')).toBe('http://plain:2');
    for (const url of ['https://a.example', 'https://x.a.example', 'https://x.b.example:8443', 'http://y.c.example', 'http://[::1]:80'])
      expect(of(url)).toBeNull();
    for (const url of ['https://xa.example', 'https://x.b.example', 'https://c.example.org']) expect(of(url)).not.toBeNull();
    expect((await hubSettings({ HOME: '/h', HTTPS_PROXY: 'p:1', NO_PROXY: '*' }, false)).proxyFor(new URL('https://x'))).toBeNull();
  });
});

describe('a name of a model', () => {
  test('is that of the Hub when it is org/name, with a revision or not', () => {
    expect(hubReference('Qwen/Qwen3-0.6B')).toEqual({ id: 'Qwen/Qwen3-0.6B', repository: 'Qwen/Qwen3-0.6B', revision: 'main', file: null });
    expect(hubReference('a/b@refs/pr/1')).toMatchObject({ repository: 'a/b', revision: 'refs/pr/1' });
  });

  test('may end with a file of GGUF or ONNX, also in a folder of the repository', () => {
    const file = (id: string) => {
      const { repository, revision, file: named } = hubReference(id) ?? {};
      return [repository, revision, named];
    };
    expect(file('a/b/m-Q4_K_M.gguf')).toEqual(['a/b', 'main', 'm-Q4_K_M.gguf']);
    expect(file('a/b/onnx/model.onnx@v1')).toEqual(['a/b', 'v1', 'onnx/model.onnx']);
    expect(file('a/b.gguf')).toEqual(['a/b.gguf', 'main', null]);
    for (const path of ['a/b/../m.gguf', 'a/b/x//m.gguf', 'a/b/%2e%2e/m.gguf', './a/b/m.gguf', 'a/b/c.safetensors', 'a/b/c.txt'])
      expect(hubReference(path)).toBeNull();
  });

  test.each(['', 'name', './a/b', '../a', '/a/b', '~/a', 'a/b/c', 'a\\b', 'a/', '.a/b', 'a b/c', 'a/b@', 'C:/x', '$(x)/b'])(
    'is a path when it is %j',
    (id) => {
      expect(hubReference(id)).toBeNull();
    },
  );
});

describe('a redirect (78)', () => {
  const subject = { repository: 'org/name', revision: 'main', file: null };
  const follow = (from: string, location: string, endpoint = 'https://huggingface.co'): string =>
    redirected(new URL(from), { location }, subject, new URL(endpoint)).href;

  test('may lead to other hosts, and loses a name and password', () => {
    expect(follow('https://huggingface.co/a', 'https://u:p@cdn.example/x?y')).toBe('https://cdn.example/x?y');
    expect(follow('https://huggingface.co/a', '/b')).toBe('https://huggingface.co/b');
    expect(follow('http://127.0.0.1:1/a', 'http://127.0.0.1:2/b', 'http://127.0.0.1:1')).toBe('http://127.0.0.1:2/b');
    expect(follow('http://10.0.0.1/a', 'http://10.0.0.1/b', 'http://10.0.0.1')).toBe('http://10.0.0.1/b');
  });

  test.each([
    'http://huggingface.co/a',
    'file:///etc/passwd',
    'https://169.254.169.254/latest/meta-data',
    'https://127.0.0.1/x',
    'https://0x7f.1/x',
    'https://2130706433/x',
    'https://localhost/x',
    'https://x.localhost./x',
    'https://10.1.2.3/x',
    'https://192.168.0.1/x',
    'https://172.31.0.1/x',
    'https://[::1]/x',
    'https://[fe80::1]/x',
    'https://[fd00::1]/x',
    'https://[::ffff:10.0.0.1]/x',
    'https://0.0.0.0/x',
  ])('from a public Hub to %s is refused', (location) => {
    expect(() => follow('https://huggingface.co/a', location)).toThrow(/^org\/name: huggingface\.co redirects .*: refused\.$/);
  });

  test('to a name that stands for an internal address is refused when the name is looked up', async () => {
    const found = await new Promise((resolve) => publicLookup('localhost', { all: true }, (error) => resolve(error?.code)));
    expect(found).toBe('INTERNAL_ADDRESS');
    expect(isInternalHost('8.8.8.8')).toBe(false);
    expect(isInternalHost('[2600::1]')).toBe(false);
    const literal = await new Promise((resolve) =>
      publicLookup('8.8.8.8', {}, (error, address, family) => resolve([error, address, family])),
    );
    expect(literal).toEqual([null, '8.8.8.8', 4]);
  });
});
