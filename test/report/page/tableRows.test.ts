import { describe, expect, it } from 'vitest'
import { chooseRows } from '../../../src/report/page/tableRows.ts'
import { fieldColumn, shareColumn } from '../../../src/lib/table/columns.ts'

interface Row {
  model: string
  top1: number | null
}

const rows: Row[] = [
  { model: 'net-b10', top1: 0.5 },
  { model: 'net-b9', top1: null },
  { model: 'vit', top1: 0.1234 },
  { model: 'net-b11', top1: 0.9 },
]
const columns = [
  { name: 'code', heading: '', value: () => 'vit' },
  fieldColumn('model'),
  shareColumn('top1', 'top-1 %'),
]
const names = ({ shown }: { shown: readonly Row[] }): string[] => shown.map(({ model }) => model)
const choose = (state: Parameters<typeof chooseRows<Row>>[2]) => chooseRows(rows, columns, state)

describe('the rows that a table shows', () => {
  it('are sorted by the column that is shown there, what is unknown last in both orders', () => {
    const by = (column: number, isRising: boolean): string[] =>
      names(choose({ sort: { column, isRising } }))
    expect(by(1, true)).toEqual(['vit', 'net-b10', 'net-b11', 'net-b9'])
    expect(by(1, false)).toEqual(['net-b11', 'net-b10', 'vit', 'net-b9'])
    expect(by(0, true)).toEqual(['net-b9', 'net-b10', 'net-b11', 'vit'])
  })

  it('have all words of the search in the texts that a reader sees', () => {
    expect(names(choose({ search: 'NET 50.0' }))).toEqual(['net-b10'])
    expect(names(choose({ search: 'vit' }))).toEqual(['vit'])
    expect(choose({ search: 'none' })).toEqual({ shown: [], found: 0 })
  })

  it('are the first ones after sorting, and those of a group stay together', () => {
    const groupOf = ({ model }: Row): string => model.slice(0, 3)
    const state = { sort: { column: 1, isRising: false }, groupOf }
    expect(names(choose(state))).toEqual(['net-b11', 'net-b10', 'net-b9', 'vit'])
    expect(choose({ ...state, most: 2 })).toEqual({ shown: [rows[3], rows[0]], found: 4 })
  })
})
