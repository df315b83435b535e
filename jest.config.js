/** @type {import('jest').Config} */
export default {
  testEnvironment: '<rootDir>/__tests__/support/outer-realm-environment.mjs',
  testMatch: ['<rootDir>/__tests__/**/*.test.ts'],
  // dist/package.json would otherwise be a second package of the same name.
  modulePathIgnorePatterns: ['<rootDir>/dist', '<rootDir>/build'],
  extensionsToTreatAsEsm: ['.ts'],
  resolver: 'ts-jest-resolver',
  transform: { '^.+\\.ts$': ['ts-jest', { useESM: true }] },
  // The longest test takes 15 s on two idle cores; runners are shared.
  testTimeout: 180_000,
  // jest leaves one core idle by default: on a machine with two, the tests would run one file after the other, in 16 minutes.
  maxWorkers: '100%',
};
