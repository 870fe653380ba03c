import { defineConfig } from 'vitest/config';

/** `fast` needs nothing but Node; `real` needs the real parts that scripts/setup.sh installs and starts. */
export default defineConfig({
  test: {
    projects: [
      {
        test: { name: 'fast', include: ['test/{unit,contract,scenarios}/**/*.test.ts'], testTimeout: 10_000 },
      },
      {
        test: {
          name: 'real',
          include: ['test/{integration,e2e}/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
          fileParallelism: false,
          expect: { poll: { timeout: 30_000 } },
        },
      },
    ],
  },
});
