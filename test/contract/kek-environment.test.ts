import { utf8 } from '../../src/base/bytes.ts'
import { Secret } from '../../src/crypto/secret.ts'
import { generateEnvironmentKek } from '../../src/kek/environment-key.ts'
import { createEnvironmentKek } from '../../src/kek/environment.ts'
import { kekSuite } from './kek-suite.ts'

kekSuite('environment', () => createEnvironmentKek(new Secret(utf8(generateEnvironmentKek()))))
