/** A range of positions in a data set's evaluation order; the end is excluded. */
export interface IndexRange {
  start: number
  end: number
}
/** Images of some spans. */

export const totalLength = (spans: readonly IndexRange[]): number =>
  spans.reduce((sum, { start, end }) => sum + end - start, 0)
/** Parts of `spans` that lie in one of `parts` each. */

export const intersectRanges = (
  spans: readonly IndexRange[],
  parts: readonly IndexRange[],
): IndexRange[] =>
  spans.flatMap(span =>
    parts
      .map(({ start, end }) => ({
        start: Math.max(start, span.start),
        end: Math.min(end, span.end),
      }))
      .filter(({ start, end }) => start < end),
  )
export function splitRange({ start, end }: IndexRange, size: number): IndexRange[] {
  const count = Math.ceil((end - start) / size)
  return Array.from({ length: count }, (_, i) => ({
    start: start + i * size,
    end: Math.min(end, start + (i + 1) * size),
  }))
}
