import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { isInside } from '../../src/lib/files.ts'

const root = mkdtempSync(join(tmpdir(), 'geogap-inside-'))
const folder = join(root, 'folder')
mkdirSync(join(folder, 'sub'), { recursive: true })
mkdirSync(join(root, 'folder-2'))
symlinkSync(join(root, 'folder-2'), join(folder, 'out'))
symlinkSync(join(root, 'absent'), join(folder, 'dangling'))
symlinkSync('loop', join(folder, 'loop'))
symlinkSync(folder, join(root, 'link'))
afterAll(() => rmSync(root, { recursive: true }))

it.each([
  ['.', true],
  ['sub/new/file', true],
  ['..name', true],
  ['..', false],
  ['../folder-2', false],
  [join(root, 'link', 'file'), true],
  ['out', false],
  ['out/new', false],
  ['dangling', false],
  ['loop/file', true],
  ['s3://bucket/folder', false],
])('%s', (path, inside) => {
  expect(isInside(path, folder)).toBe(inside)
})
