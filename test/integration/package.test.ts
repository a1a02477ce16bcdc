import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'

const root = resolve(import.meta.dirname, '../..')

it('builds what is published, declarations included, and it starts', () => {
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
  symlinkSync(join(root, 'node_modules'), join(directory, 'node_modules'))
  spawnSync('cp', [join(root, 'package.json'), directory])
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    version: string
  }
  const ran = spawnSync(process.execPath, [join(outDir, 'main.js'), '--version'], {
    encoding: 'utf8',
  })
  expect([ran.status, ran.stdout.trim()]).toEqual([0, version])
  const verify = `import { verifyDossier } from ${JSON.stringify(join(outDir, 'verify/index.js'))}
    console.log(verifyDossier(new Uint8Array(0), new Uint8Array(0)).verdict)`
  const used = spawnSync(process.execPath, ['--input-type=module', '-e', verify], {
    encoding: 'utf8',
  })
  expect([used.status, used.stdout.trim()]).toEqual([0, 'invalid'])
})
