import { spawnSync } from 'node:child_process'

/** Sees that ssh-keygen is there, installing it where that is possible. */
export function needSshKeygen(): void {
  const has = (): boolean =>
    spawnSync('sh', ['-c', 'command -v ssh-keygen'], { stdio: 'ignore' }).status === 0
  if (has()) return
  if (process.getuid?.() === 0)
    for (const args of [['update'], ['install', '-y', 'openssh-client']])
      spawnSync('apt-get', args, { stdio: 'ignore' })
  if (!has()) throw new Error('This test needs ssh-keygen: apt-get install -y openssh-client')
}
