import { execFileSync } from 'node:child_process'
import { expect, it } from 'vitest'
import { shellWord } from '../../../src/lib/table/text.ts'

it('a path in a hint is one word of a shell, and stays bare where it can', () => {
  const names = ['results/a-1.json', 'Küche', 'my results', "it's", '$HOME;`x`', 'a\nb']
  const printed = execFileSync('sh', ['-c', `printf '%s|' ${names.map(shellWord).join(' ')}`], {
    encoding: 'utf8',
  })
  expect(printed).toBe(names.map(name => `${name}|`).join(''))
  expect(names.map(shellWord).slice(0, 3)).toEqual(['results/a-1.json', 'Küche', "'my results'"])
})
