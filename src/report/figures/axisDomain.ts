/** Domains of axes whose ends are ticks. */

/** Returns a domain around all values whose ends are ticks, within bounds, in at most `steps` steps. */
export function roundDomain(
  values: readonly number[],
  [least, most]: readonly [least: number, most: number],
  steps = 6,
): AxisDomain {
  if (values.length === 0) return { domain: [0, 100], values: [0, 20, 40, 60, 80, 100] }
  const [low, high] = [Math.min(...values), Math.max(...values)]
  const margin = 0.03 * (high - low)
  for (const step of [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]) {
    const first = Math.max(
      Math.min(least, step * Math.floor(low / step)),
      step * Math.floor((low - margin) / step),
    )
    const last = Math.min(
      most,
      step * Math.max(first / step + 1, Math.ceil((high + margin) / step)),
    )
    const start = last > first ? first : first - step
    const count = Math.round((last - start) / step)
    if (count <= steps)
      return {
        domain: [start, last],
        values: Array.from({ length: count + 1 }, (_, i) => start + i * step),
      }
  }
  return { domain: [low, high], values: [low, high] }
}

export interface AxisDomain {
  domain: [number, number]
  values: number[]
}
