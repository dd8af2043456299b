// Tests run as native ES modules on the sources: swc only strips the types.
export default {
  testEnvironment: 'node',
  testMatch: ['<rootDir>/src/**/*.test.ts', '<rootDir>/test/**/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { parser: { syntax: 'typescript' }, target: 'es2024' }, module: { type: 'es6' } },
    ],
  },
  testTimeout: 30_000,
  // One for each processor: jest would leave one to itself, which has little to do
  maxWorkers: '100%',
  // Modules of finished tests stay in memory: a worker that has gathered too many is replaced
  workerIdleMemoryLimit: '1GB',
};
