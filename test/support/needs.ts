// What the fault tests need of the machine. Nothing is skipped: what is missing is installed where we may, else named with the command.
import { execFileSync, spawnSync } from 'node:child_process'

const has = (command: string): boolean =>
  spawnSync('sh', ['-c', `command -v ${command}`], { stdio: 'ignore' }).status === 0

const packages: Readonly<Record<string, string>> = {
  cc: 'gcc',
  strace: 'strace',
  unshare: 'util-linux',
  mount: 'mount',
}

export default function setup(): void {
  const missing = Object.keys(packages).filter((command) => !has(command))
  if (missing.length === 0) return
  const names = missing.map((command) => packages[command] ?? command)
  const hint = `apt-get install -y ${names.join(' ')}`
  if (process.getuid?.() !== 0)
    throw new Error(`Fault tests need: ${missing.join(', ')}. Run as root: ${hint}`)
  execFileSync('apt-get', ['update'], { stdio: 'ignore' })
  execFileSync('apt-get', ['install', '-y', ...names], { stdio: 'ignore' })
  if (!missing.every(has)) throw new Error(`Could not install what the fault tests need: ${hint}`)
}
