import { PassThrough } from 'node:stream'
import { expect, it } from 'vitest'
import { fitToWidth, progressPrinter, setQuiet } from '../../../src/cli/commands/terminal.ts'
import { textWidth } from '../../../src/lib/table/wrapText.ts'

const bar = '█'.repeat(24)
const state = '512/1024  31 images/s  17 s left'

it.each([
  [100, `resnet50 on geode  ${bar}  ${state}`],
  [60, `resnet50 on geode  ${state}`],
  [45, `resnet50 o…  ${state}`],
])('a line of %i columns keeps what changes', (width, line) => {
  expect(fitToWidth({ name: 'resnet50 on geode', bar, state }, width)).toBe(line)
})

it('counts the columns that wide letters take', () => {
  const line = fitToWidth({ name: '東京の台所の写真を集めたもの on kitchens', bar, state }, 60)
  expect(textWidth(line)).toBeLessThanOrEqual(60)
  expect(line).toMatch(/^東京の.*…  512\/1024/)
})

it('is silent after --quiet', () => {
  const stream = new PassThrough() as unknown as NodeJS.WriteStream
  const show = progressPrinter(stream)
  const progress = {
    models: ['m'],
    dataset: 'd',
    total: 2,
    done: 0,
    plan: { processes: 1, threads: 1, batch: 8, seconds: 100, measured: true },
  }
  setQuiet()
  show(progress)
  expect(stream.read()).toBeNull()
  setQuiet(false)
  show(progress)
  expect(String(stream.read())).toMatch(
    /^m on d: 1 process × 1 thread, batch 8, about 2 min \(measured\)\nm on d {2}░{24} {2}0\/2\n$/,
  )
})
