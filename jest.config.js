/** @type {import('jest').Config} */
export default {
  testEnvironment: '<rootDir>/__tests__/support/outer-realm-environment.mjs',
  testMatch: ['<rootDir>/__tests__/**/*.test.ts'],
  // dist/package.json would otherwise be a second package of the same name.
  modulePathIgnorePatterns: ['<rootDir>/dist', '<rootDir>/build'],
  globalSetup: '<rootDir>/__tests__/support/temporary-folder.mjs',
  extensionsToTreatAsEsm: ['.ts'],
  resolver: 'ts-jest-resolver',
  transform: { '^.+\\.ts$': '<rootDir>/__tests__/support/typescript-transform.mjs' },
  // The longest test takes 15 s on two idle cores; runners are shared, and may stand still for minutes. Longer than waiting.ts waits, which says for what.
  testTimeout: 600_000,
  testSequencer: '<rootDir>/__tests__/support/longest-first.mjs',
  // jest leaves one core idle by default: on a machine with two, the tests would run one file after the other, in 16 minutes.
  maxWorkers: '100%',
};
