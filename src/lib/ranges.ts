/** A range of positions in a data set's evaluation order; the end is excluded. */
export interface IndexRange {
  start: number
  end: number
}

/** Returns the total number of positions in the ranges. */
export const totalLength = (spans: readonly IndexRange[]): number =>
  spans.reduce((sum, { start, end }) => sum + end - start, 0)

/** Returns the intersections of every range of `spans` with every range of `parts`. */
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

/** Cuts a range into ranges of `size` positions; the last may be shorter. */
export function splitRange({ start, end }: IndexRange, size: number): IndexRange[] {
  const count = Math.ceil((end - start) / size)
  return Array.from({ length: count }, (_, i) => ({
    start: start + i * size,
    end: Math.min(end, start + (i + 1) * size),
  }))
}
