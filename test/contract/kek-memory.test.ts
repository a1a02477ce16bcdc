import { createMemoryKek } from '../../src/kek/memory.ts'
import { kekSuite } from './kek-suite.ts'

kekSuite('memory', { create: createMemoryKek, restart: null })
