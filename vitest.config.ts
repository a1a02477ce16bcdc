import { join } from 'node:path'
import { defineConfig } from 'vitest/config'

const project = (name: string, options = {}) => ({
  extends: true as const,
  test: { name, include: [`test/${name}/**/*.test.ts`], ...options },
})

export default defineConfig({
  test: {
    pool: 'forks',
    maxWorkers: '100%',
    restoreMocks: true,
    // Programs that tests start need not strip and compile the same sources each time.
    env: { NODE_COMPILE_CACHE: join(import.meta.dirname, 'node_modules/.cache/compile') },
    projects: [
      {
        extends: true as const,
        test: {
          name: 'unit',
          include: ['test/*.test.ts', 'test/{unit,vectors,contract,pins}/**/*.test.ts'],
          testTimeout: 30_000,
        },
      },
      project('property', { testTimeout: 30_000 }),
      project('integration', { testTimeout: 60_000, hookTimeout: 60_000 }),
      project('fault', {
        globalSetup: 'test/support/needs.ts',
        testTimeout: 60_000,
        hookTimeout: 60_000,
      }),
    ],
  },
})
