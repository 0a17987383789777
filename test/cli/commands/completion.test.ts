/** The scripts of `geogap completion` in the shells that they are for; a shell that is not installed is left out. */
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { cli } from '../../helpers/cli.ts'

const folder = mkdtempSync(join(tmpdir(), 'geogap-completion-'))
const env = { ...process.env, HOME: folder, PATH: `${folder}/bin${delimiter}${process.env.PATH}` }
for (const name of ['bin', 'empty']) mkdirSync(join(folder, name))
writeFileSync(join(folder, 'bin/geogap'), `#!/bin/sh\nexec '${cli[0]}' '${cli[1]}' "$@"\n`, {
  mode: 0o755,
})
afterAll(() => rmSync(folder, { recursive: true }))

/** Options that start each shell without a user's own settings, and what it does when `words` are to be completed. */
const shells = {
  bash: {
    bare: ['--norc'],
    ask: (words: string) => `COMP_WORDS=(${words}); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))
      _geogap; printf '%s\\n' "\${COMPREPLY[@]}"`,
  },
  zsh: {
    bare: ['-f'],
    ask: (words: string) => `words=(${words}); CURRENT=$#words
      compadd() { shift; print -l -- "$@" }; _files() { print FILES }; _geogap`,
  },
  fish: {
    bare: ['--no-config'],
    ask: (words: string) => `complete -C '${words.replaceAll("''", '')}'`,
  },
}

describe.each(Object.entries(shells))(
  'in %s (left out where it is not installed)',
  (shell, { bare, ask }) => {
    const here = spawnSync(shell, ['--version']).status === 0
    const script = join(folder, `completion.${shell}`)
    const completed = (words: string): string[] => {
      const prelude = shell === 'zsh' ? 'compdef() { :; }; ' : ''
      const options = { env, cwd: join(folder, 'empty'), encoding: 'utf8' as const }
      return execFileSync(
        shell,
        [...bare, '-c', `${prelude}source ${script}\n${ask(words)}`],
        options,
      )
        .trim()
        .split('\n')
        .map(line => line.split('\t')[0]!)
    }

    it.skipIf(!here)('the script is read, and completes commands, options and values', () => {
      writeFileSync(script, execFileSync('geogap', ['completion', shell], { env }))
      execFileSync(shell, [...bare, '-n', script], { env })
      expect(completed('geogap table results --forma')).toEqual(['--format'])
      expect(completed('geogap table --format cs')).toEqual(['csv'])
      expect(completed('geogap fetch geo')).toEqual(['geode'])
    })
  },
)
