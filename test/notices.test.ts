import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { noticeText, shippedData, thirdPartyText } from '../scripts/noticesDocs.ts'

it('NOTICE and THIRD-PARTY.md are up to date (npm run docs:notices)', () => {
  expect(readFileSync('NOTICE', 'utf8')).toBe(noticeText())
  expect(readFileSync('THIRD-PARTY.md', 'utf8')).toBe(thirdPartyText())
})

const isData = (name: string): boolean =>
  /\.(tsv|csv|json)$/.test(name) && !name.endsWith('tsconfig.json')

it('every data file of src/ has a source and terms', () => {
  const data = readdirSync('src', { recursive: true, encoding: 'utf8' })
    .map(name => `src/${name.replaceAll('\\', '/')}`)
    .filter(isData)
  const listed = shippedData.flatMap(({ files }) => files)
  expect(listed.filter(isData).sort()).toEqual(data.sort())
  expect(listed.filter(name => !existsSync(name))).toEqual([])
})

it('both are inside the package', () => {
  const { files } = JSON.parse(readFileSync('package.json', 'utf8')) as { files: string[] }
  expect(files).toEqual(expect.arrayContaining(['LICENSE', 'NOTICE', 'THIRD-PARTY.md']))
})
