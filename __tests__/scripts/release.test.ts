// scripts/release.mjs on real repositories: what may be released, and where the major tag goes.

import { afterAll, beforeEach, describe, expect, test } from '@jest/globals';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const SCRIPT = fileURLToPath(new URL('../../scripts/release.mjs', import.meta.url));
const home = mkdtempSync(join(tmpdir(), 'release-'));
const ENV = { PATH: process.env['PATH'], HOME: home, GIT_CONFIG_NOSYSTEM: '1' };
let remote: string;
let clone: string;

afterAll(() => rmSync(home, { recursive: true }));

function git(...args: string[]): string {
  const who = ['-c', 'user.name=t', '-c', 'user.email=t@example.com', '-c', 'init.defaultBranch=main'];
  return execFileSync('git', [...who, ...args], { cwd: clone, env: ENV, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
}

/** A commit with that version and a tag on it; its id. */
function release(tag: string, changelog = `## [${tag.slice(1)}] - 2026-11-23`): string {
  writeFileSync(join(clone, 'package.json'), JSON.stringify({ version: tag.slice(1) }));
  writeFileSync(join(clone, 'CHANGELOG.md'), `# Changelog\n\n${changelog}\n`);
  git('add', '.');
  git('commit', '-q', '-m', tag);
  git('tag', tag);
  return git('rev-parse', 'HEAD');
}

function run(command: string, tag: string): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [SCRIPT, command, tag], { cwd: clone, env: ENV, encoding: 'utf8' });
  return { status, stdout, stderr };
}

function remoteTag(name: string): string {
  return execFileSync('git', ['ls-remote', remote, `refs/tags/${name}`], { env: ENV, encoding: 'utf8' }).split('\t')[0] ?? '';
}

beforeEach(() => {
  remote = mkdtempSync(join(home, 'remote-'));
  clone = mkdtempSync(join(home, 'clone-'));
  execFileSync('git', ['init', '-q', '--bare', remote], { env: ENV });
  git('init', '-q');
  git('remote', 'add', 'origin', remote);
});

describe('release.mjs check', () => {
  test('passes a commit whose tag, package.json and changelog agree', () => {
    release('v1.2.3');
    expect(run('check', 'v1.2.3')).toEqual({ status: 0, stdout: '', stderr: '' });
  });

  test.each([
    ['another version', 'v1.2.4', undefined, 'package.json has version 1.2.3'],
    ['no heading in the changelog', 'v1.2.3', '## [1.2.2] - 2026-01-01', 'no heading "## [1.2.3] - DATE"'],
    ['a heading without a date', 'v1.2.3', '## [1.2.3] - Unreleased', 'put the date of the release there'],
    ['a tag that is no version', 'latest; rm -rf /', undefined, 'is no version'],
  ])('refuses %s', (_, tag, changelog, why) => {
    release('v1.2.3', changelog);
    const { status, stderr } = run('check', tag);
    expect(status).toBe(1);
    expect(stderr).toContain(why);
  });
});

describe('release.mjs move', () => {
  test('makes the major tag and moves it with the next release', () => {
    const first = release('v1.2.3');
    expect(run('move', 'v1.2.3')).toMatchObject({ status: 0, stdout: `v1 is now v1.2.3 (${first}).\n` });
    expect(remoteTag('v1')).toBe(first);
    const second = release('v1.10.0');
    expect(run('move', 'v1.10.0').status).toBe(0);
    expect(remoteTag('v1')).toBe(second);
  });

  test('leaves it at the newest release when an older line gets a fix, and touches no other major', () => {
    const newest = release('v1.10.0');
    run('move', 'v1.10.0');
    release('v1.9.1');
    expect(run('move', 'v1.9.1')).toMatchObject({ status: 0, stdout: 'v1 stays where it is: v1.10.0 is newer than v1.9.1.\n' });
    const next = release('v2.0.0');
    run('move', 'v2.0.0');
    expect([remoteTag('v1'), remoteTag('v2')]).toEqual([newest, next]);
  });

  test('does not follow pre-releases, neither to them nor because of them', () => {
    release('v1.3.0-rc.1');
    expect(run('move', 'v1.3.0-rc.1').status).toBe(1);
    expect(remoteTag('v1')).toBe('');
    const full = release('v1.2.9');
    expect(run('move', 'v1.2.9').status).toBe(0);
    expect(remoteTag('v1')).toBe(full);
  });
});
