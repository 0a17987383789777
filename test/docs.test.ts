import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { modelPage, page } from '../scripts/modelDocs.ts'

it('docs/models.md is what the catalogue says; npm run docs:models draws it anew', () => {
  expect(readFileSync(page, 'utf8')).toBe(modelPage())
})
