import { type Interval } from '../src/metrics/intervals.ts'

/** Counts of one kind of interval in one world. */
export class Tally {
  private covered = 0
  private known = 0
  private width = 0
  private refused = 0

  add(interval: Interval | null, truth: number): void {
    if (interval === null) {
      this.refused++
      return
    }
    const [low, high] = interval
    this.known++
    this.width += high - low
    if (low <= truth + 1e-9 && truth - 1e-9 <= high) this.covered++
  }

  /** The share of the intervals that contain the truth and their mean width, with the share without an interval. */
  text(digits: number, unit: number): string {
    const all = this.known + this.refused
    const none = this.refused === 0 ? '' : `, none in ${percent(this.refused / all)}`
    if (this.known < all / 50) return `none`
    return `${percent(this.covered / this.known)} (${((unit * this.width) / this.known).toFixed(digits)})${none}`
  }
}

export const percent = (share: number): string => `${(100 * share).toFixed(1)} %`

/** Returns a table in Markdown. */
export const tableText = (head: readonly string[], rows: readonly string[][]): string =>
  [head, head.map((_, i) => (i === 0 ? '---' : '---:')), ...rows]
    .map(cells => `| ${cells.join(' | ')} |`)
    .join('\n')
