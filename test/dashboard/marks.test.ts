import { expect, it } from 'vitest'
import { findMarked } from '../../src/dashboard/marks.ts'

it('a mark is about the longest name that its description begins with', () => {
  const groups = ['Congo', 'Congo: Kinshasa', 'Kenya']
  const find = (about: string) => findMarked(about, groups, group => `${group}: `)
  expect(find('Congo: Kinshasa: 30.0 %, n = 40')).toBe('Congo: Kinshasa')
  expect(find('Congo: 20.0 %, n = 31')).toBe('Congo')
  expect(find('Congo, Kenya: 20.0 %')).toBeUndefined()
})
