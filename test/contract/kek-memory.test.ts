import { createMemoryKek } from '../../src/kek/memory.ts'
import { kekSuite } from './kek-suite.ts'

kekSuite('memory', createMemoryKek)
