import { spawnSync } from 'node:child_process'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'

const root = resolve(import.meta.dirname, '../..')

it('builds what is published, declarations included, and it starts', { timeout: 180_000 }, () => {
  const directory = mkdtempSync(join(tmpdir(), 'countersign-build-'))
  onTestFinished(() => {
    rmSync(directory, { recursive: true })
  })
  const outDir = join(directory, 'dist')
  const tsc = join(root, 'node_modules/typescript/bin/tsc')
  const built = spawnSync(
    process.execPath,
    [tsc, '-p', 'tsconfig.build.json', '--outDir', outDir],
    {
      cwd: root,
      encoding: 'utf8',
    },
  )
  expect([built.status, built.stdout]).toEqual([0, ''])
  // A directory of its own, so that what is kept there is what this program has put there.
  mkdirSync(join(directory, 'node_modules'))
  for (const name of readdirSync(join(root, 'node_modules')).filter((name) => name !== '.cache'))
    symlinkSync(join(root, 'node_modules', name), join(directory, 'node_modules', name))
  spawnSync('cp', [join(root, 'package.json'), directory])
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    version: string
  }
  // Whoever has neither the types of Node nor a newer library than most must read the declarations all the same.
  const { exports: faces } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    exports: Readonly<Record<string, string | { readonly types: string }>>
  }
  const typed = Object.values(faces).flatMap((face) => (typeof face === 'string' ? [] : face.types))
  expect(typed).toHaveLength(3)
  const lines = typed.map((file, at) => `export * as face${at} from '${file}'`)
  writeFileSync(join(directory, 'use.ts'), lines.join('\n').replaceAll('.d.ts', '.js'))
  const compilerOptions = {
    exactOptionalPropertyTypes: true,
    lib: ['es2022', 'dom'],
    module: 'node16',
    noEmit: true,
    skipLibCheck: false,
    strict: true,
    target: 'es2022',
    types: [],
  }
  writeFileSync(
    join(directory, 'tsconfig.json'),
    JSON.stringify({ compilerOptions, files: ['use.ts'] }),
  )
  const taken = spawnSync(process.execPath, [tsc], { cwd: directory, encoding: 'utf8' })
  expect([taken.status, taken.stdout]).toEqual([0, ''])
  const env = { ...process.env }
  delete env['NODE_COMPILE_CACHE']
  const start = () =>
    spawnSync(process.execPath, [join(outDir, 'main.js'), '--version'], { encoding: 'utf8', env })
  const cache = join(directory, 'node_modules/.cache/countersign')
  rmSync(cache, { force: true, recursive: true })
  const ran = start()
  expect([ran.status, ran.stdout.trim()]).toEqual([0, version])
  expect(readdirSync(cache)).toHaveLength(1)
  // What is compiled already is kept beside the code; without a place for it the program starts all the same.
  rmSync(cache, { recursive: true })
  writeFileSync(cache, '')
  expect(start().status).toBe(0)
  const verify = `import { verifyDossier } from ${JSON.stringify(join(outDir, 'verify/index.js'))}
    console.log(verifyDossier(new Uint8Array(0), new Uint8Array(0)).verdict)`
  const used = spawnSync(process.execPath, ['--input-type=module', '-e', verify], {
    encoding: 'utf8',
  })
  expect([used.status, used.stdout.trim()]).toEqual([0, 'invalid'])
  const embed = `import { compileBundle, decide, definePredicate, gatherPredicates } from ${JSON.stringify(join(outDir, 'policy/index.js'))}
    import { AegisConfig } from ${JSON.stringify(join(outDir, 'aegis/aegis.js'))}
    const small = definePredicate('small', ({ data }) => data.intent.action.amount < 10)
    const bundle = { bundle_id: 'b', policies: [{ id: 'p', rules: [{ id: 'r', effect: 'allow', when: { kind: 'predicate', predicate: 'small' } }] }] }
    const active = [{ compiled: compileBundle(bundle, 'native', gatherPredicates([small])), index: null }]
    const ask = (amount) => decide({ active, request: { actor: { id: 'a' }, action: { type: 'pay', amount } }, time: 0 }).status
    console.log(ask(9), ask(10), AegisConfig.default().settings.novelty_threshold)`
  const embedded = spawnSync(process.execPath, ['--input-type=module', '-e', embed], {
    encoding: 'utf8',
  })
  expect([embedded.status, embedded.stdout.trim()]).toEqual([0, 'ALLOW BLOCK 0.6'])
})
