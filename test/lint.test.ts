import { readFileSync } from 'node:fs'
import { ESLint, type Linter } from 'eslint'
import { expect, it } from 'vitest'

type Rules = Record<string, unknown>
interface OxlintSettings {
  rules: Rules
  overrides: { files: string[]; rules: Rules }[]
}

const settings = JSON.parse(
  readFileSync(new URL('../.oxlintrc.json', import.meta.url), 'utf8'),
) as OxlintSettings

/** Rules that are on, by their names without the plugin, with their options. */
const rulesOn = (rules: Rules): Rules =>
  Object.fromEntries(
    Object.entries(rules)
      .map(([name, setting]) => {
        const [severity, ...options] = Array.isArray(setting) ? (setting as unknown[]) : [setting]
        return [name.replace(/^.*\//, ''), severity, options] as const
      })
      .filter(([, severity]) => ![0, 'off'].includes(severity as string | number))
      .map(([name, , options]) => [name, options]),
  )

it.each([
  ['src/lib/sql.ts', 'src/'],
  ['test/lint.test.ts', 'test/'],
  ['scripts/built.ts', undefined],
])('oxlint checks what ESLint does: every rule and its options, %s', async (file, folder) => {
  const config = (await new ESLint().calculateConfigForFile(file)) as Linter.Config
  const more = settings.overrides.filter(
    ({ files }) => folder !== undefined && files.every(one => one.startsWith(folder)),
  )
  const rules = Object.assign({}, settings.rules, ...more.map(one => one.rules)) as Rules
  expect(rulesOn(rules)).toEqual(rulesOn(config.rules!))
  expect(Object.keys(rulesOn(rules)).length).toBeGreaterThan(70)
})
