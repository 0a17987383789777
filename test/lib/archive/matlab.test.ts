import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { matlabStructs } from '../../../src/lib/archive/matlab.ts'

/** Three synsets in the form of ImageNet's `meta.mat`, compressed, as SciPy 1.x writes them. */
const meta = readFileSync(new URL('./meta.mat', import.meta.url))

describe('MATLAB files', () => {
  it('give their structs as records of numbers and text', () => {
    const synsets = matlabStructs(meta)
    expect(synsets.map(({ ILSVRC2012_ID: id, WNID: wnid }) => [id, wnid])).toEqual([
      [1, 'n01440764'],
      [2, 'n01443537'],
      [3, 'n99999999'],
    ])
    expect(synsets[0]).toMatchObject({ words: 'tench', num_train_images: 1300, children: null })
  })

  it('that are cut off, or no MATLAB files, are refused', () => {
    for (let length = 0; length < meta.length - 8; length += 7) {
      expect(() => matlabStructs(meta.subarray(0, length))).toThrow('unreadable MATLAB file')
    }
  })
})
