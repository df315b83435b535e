// What .github/workflows/release.yml does with git: `check TAG` says whether this commit may be released as TAG, `move TAG` moves the major
// tag (v1 for v1.4.2) to it. It builds nothing and changes no file.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const [command, tag = ''] = process.argv.slice(2);
const parts = /^v(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?$/.exec(tag);

function fail(message) {
  console.error(message);
  process.exit(1);
}

function git(args, env = {}) {
  return execFileSync('git', args, { encoding: 'utf8', env: { ...process.env, ...env } }).trim();
}

/** Numbers of a full release, or null: pre-releases and other tags never hold a major tag. */
function numbers(name) {
  const found = /^v(\d+)\.(\d+)\.(\d+)$/.exec(name);
  return found === null ? null : found.slice(1).map(Number);
}

function check() {
  const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
  if (tag !== `v${version}`) fail(`The tag is ${tag}, but package.json has version ${version}: tag the commit that sets the version.`);
  const heading = readFileSync('CHANGELOG.md', 'utf8')
    .split('\n')
    .find((line) => line.startsWith(`## [${version}]`));
  if (heading === undefined) fail(`CHANGELOG.md has no heading "## [${version}] - DATE".`);
  if (!/ - \d{4}-\d\d-\d\d$/.test(heading)) fail(`CHANGELOG.md has "${heading}": put the date of the release there.`);
}

/** The token as git takes it, in the environment: a command line can be read by every process. */
function credentials() {
  const { GITHUB_TOKEN: token, GITHUB_SERVER_URL: server = 'https://github.com' } = process.env;
  if (!token) return {};
  const basic = Buffer.from(`x-access-token:${token}`).toString('base64');
  return { GIT_CONFIG_COUNT: '1', GIT_CONFIG_KEY_0: `http.${server}/.extraheader`, GIT_CONFIG_VALUE_0: `AUTHORIZATION: basic ${basic}` };
}

function move() {
  const own = numbers(tag);
  if (own === null) fail(`${tag} is a pre-release: no major tag goes to it.`);
  const newer = git(['tag', '--list', `v${own[0]}.*`])
    .split('\n')
    .find((name) => {
      const [major, minor = 0, patch = 0] = numbers(name) ?? [-1];
      return major === own[0] && (minor - own[1] || patch - own[2]) > 0;
    });
  const major = `v${own[0]}`;
  // A fix for an older line: whoever names v1 keeps the newest.
  if (newer !== undefined) return console.log(`${major} stays where it is: ${newer} is newer than ${tag}.`);
  const commit = git(['rev-parse', '--verify', `refs/tags/${tag}^{commit}`]);
  git(['push', '--force', 'origin', `${commit}:refs/tags/${major}`], credentials());
  console.log(`${major} is now ${tag} (${commit}).`);
}

if (parts === null) fail(`"${tag}" is no version: it must look like v1.2.3 or v1.2.3-rc.1.`);
if (command === 'check') check();
else if (command === 'move') move();
else fail('usage: node scripts/release.mjs check|move TAG');
