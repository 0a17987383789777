import { afterEach, describe, expect, it } from 'vitest'
import { fieldColumns, numericColumns } from '../../../src/lib/table/columns.ts'
import { formatTable } from '../../../src/lib/table/formats.ts'
import {
  fitTable,
  setTextWidth,
  withoutTextWidth,
  wrapToTerminal,
} from '../../../src/lib/table/fitToTerminal.ts'
import { textWidth, wrapWords } from '../../../src/lib/table/wrapText.ts'

afterEach(() => setTextWidth(null))

const columns = [
  ...fieldColumns({ model: 'model', dataset: 'data set', mode: 'preprocessing' }),
  ...numericColumns({ n: 'n', top1: 'top-1 %', top5: 'top-5 %' }),
  ...fieldColumns({ warning: 'warning' }),
]
const rows = ['resnet50.a1_in1k', 'vit_base_patch16_224.augreg2_in21k_ft_in1k'].map((model, i) => ({
  model,
  dataset: 'Dollar Street',
  mode: 'native',
  n: 1000 + i,
  top1: 50 + i,
  top5: null,
  warning: i === 0 ? '' : 'failures differ between groups (12 images, p = 0.01)',
}))
const widest = (text: string): number => Math.max(...text.split('\n').map(textWidth))

describe('a table on a terminal', () => {
  it('is complete where the text goes elsewhere', () => {
    const text = formatTable(columns, rows, 'text')
    expect(text).toContain('top-5 %')
    expect(widest(text)).toBeGreaterThan(120)
    setTextWidth(80)
    expect(withoutTextWidth(() => formatTable(columns, rows, 'text'))).toBe(text)
    expect(formatTable(columns, rows, 'csv')).toContain('top5')
    expect(formatTable(columns, rows, 'markdown').split('\n')[0]).toContain('top-5')
  })

  it.each([200, 120, 100, 80, 60, 40])('fits %i columns and says what is not shown', width => {
    setTextWidth(width)
    const printed = formatTable(columns, rows, 'text')
    expect(widest(printed)).toBeLessThanOrEqual(width)
    const text = printed.replaceAll(/\n(?=[^(─])/g, ' ')
    expect(text).toContain('(empty: top-5 %')
    expect(text).toContain(': --wide shows all columns)')
    expect(/in all rows: [^;]*preprocessing native/.test(text)).toBe(width < 130)
    expect(text).toContain('resnet50')
    const gone = columns.filter(
      ({ heading }) => !text.split('─')[0]!.includes(heading.split(' ')[0]!),
    )
    for (const { heading } of gone) expect(text).toContain(heading)
  })

  it('keeps numbers whole and aligned, and rows apart', () => {
    setTextWidth(60)
    const lines = formatTable(columns, rows, 'text').split('\n')
    const [first, second] = ['1000', '1001'].map(n => lines.findIndex(line => line.includes(n)))
    expect(lines[first!]!.indexOf('1000')).toBe(lines[second!]!.indexOf('1001'))
  })

  it('breaks names after punctuation where they would cost a quarter of the columns', () => {
    const name = 'mobilenetv3_small_050.fitted_400'
    const numbers = ['144', '20.1', '26.0', '20.0']
    const cells = [['model', 'group', 'n', 'seen', 'bound', 'allowed'], [name, 'Europe − Africa', ...numbers]] // prettier-ignore
    const numeric = [false, false, true, true, true, true]
    const fitted = fitTable({ cells, numeric }, 60)
    expect(fitted.note).toBeNull()
    expect(fitted.cells.map(row => row[0]).join('')).toBe(`model${name}`)
    expect(fitted.cells[1]![0]).toMatch(/[._]$/)
    expect(fitTable({ cells, numeric }, 76).cells[1]![0]).toBe(name)
  })

  it('wraps headings of numbers, and says a number that all rows have, before names break', () => {
    const head = ['model', 'disparity (points)', '95 % interval', 'groups', 'top-1 %', 'worst']
    const row = (model: string, i: number) => [model, `1${i}.5`, '9.0 – 12.5', '4', '61.0', `Asia ${i}`] // prettier-ignore
    const cells = [head, ...['resnet50.a1_in1k', 'efficientnet_b0.ra_in1k'].map(row)]
    const fitted = fitTable({ cells, numeric: [false, true, true, true, true, false] }, 54)
    expect(fitted.headLines).toBe(2)
    expect(fitted.cells[0]).toEqual(['model', 'disparity', '95 %', 'worst'])
    expect(fitted.cells[1]).toEqual(['', '(points)', 'interval', ''])
    expect(fitted.cells[2]).toEqual(['resnet50.a1_in1k', '10.5', '9.0 – 12.5', 'Asia 0'])
    expect(fitted.note).toContain('in all rows: groups 4, top-1 % 61.0')
  })

  it('takes a table without rows and one without columns', () => {
    expect(fitTable({ cells: [['a', 'b']], numeric: [false, false] }, 10)).toMatchObject({
      cells: [['a', 'b']],
      note: null,
    })
    setTextWidth(20)
    expect(formatTable([], [], 'text')).toBe('\n\n')
  })
})

describe('wrapWords', () => {
  it('breaks at spaces, keeps the indent, and loses no letter', () => {
    expect(wrapWords('  one two three', 9)).toEqual(['  one two', '  three'])
    expect(wrapWords('abcdefghij klm', 4).join('')).toBe('abcdefghijklm')
    expect(wrapWords('', 4)).toEqual([''])
    expect(wrapWords('worst in Africa (25.7 %)', 21)).toEqual(['worst in Africa', '(25.7 %)'])
    expect(wrapWords('by chance (p < 0.001)', 14)).toEqual(['by chance', '(p < 0.001)'])
    expect(wrapWords('東京東京', 4)).toEqual(['東京', '東京'])
  })

  it('wraps notes on a terminal only', () => {
    const note = 'a rather long note on what restricts the table'
    expect(wrapToTerminal(note)).toBe(note)
    setTextWidth(20)
    expect(widest(wrapToTerminal(note))).toBeLessThanOrEqual(20)
  })
})
