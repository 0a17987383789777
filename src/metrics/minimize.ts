/**
 * Returns a local minimum of `f` by the method of Nelder and Mead (1965), started again from its own result until that no longer
 * helps. For smooth functions of few variables of unit scale.
 */
export function minimize(
  f: (x: readonly number[]) => number,
  start: readonly number[],
): { x: number[]; value: number } {
  let best = { x: [...start], value: f(start) }
  for (let round = 0; round < 8; round++) {
    const found = nelderMead(f, best.x, round % 2 === 0 ? 0.5 : -0.1)
    const gained = best.value - found.value
    if (gained > 0) best = found
    if (round > 0 && !(gained > 1e-8)) break
  }
  return best
}

interface Corner {
  x: number[]
  value: number
}

function nelderMead(
  f: (x: readonly number[]) => number,
  start: readonly number[],
  step: number,
): Corner {
  const corner = (x: number[]): Corner => ({ x, value: f(x) })
  let simplex = [
    corner([...start]),
    ...start.map((_, i) => corner(start.map((value, k) => (k === i ? value + step : value)))),
  ]
  for (let turn = 0; turn < 400; turn++) {
    simplex = simplex.sort((a, b) => a.value - b.value)
    const best = simplex[0]!
    const worst = simplex.at(-1)!
    if (worst.value - best.value < 1e-10) break
    const center = start.map(
      (_, i) => simplex.slice(0, -1).reduce((total, { x }) => total + x[i]!, 0) / start.length,
    )
    const along = (factor: number): Corner =>
      corner(center.map((value, i) => value + factor * (value - worst.x[i]!)))
    const reflected = along(1)
    if (reflected.value < best.value) {
      const further = along(2)
      simplex[start.length] = further.value < reflected.value ? further : reflected
    } else if (reflected.value < simplex.at(-2)!.value) simplex[start.length] = reflected
    else {
      const nearer = reflected.value < worst.value ? along(0.5) : along(-0.5)
      if (nearer.value < Math.min(reflected.value, worst.value)) simplex[start.length] = nearer
      else
        simplex = simplex.map((each, i) =>
          i === 0 ? each : corner(each.x.map((value, k) => (value + best.x[k]!) / 2)),
        )
    }
  }
  return simplex.sort((a, b) => a.value - b.value)[0]!
}
