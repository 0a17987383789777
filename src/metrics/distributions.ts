/*
 * Distribution functions, accurate to about 1e-12 relative, tails included.
 *
 * Binomial and Poisson weights come from Loader's saddle-point form (Catherine Loader, "Fast and accurate computation of
 * binomial probabilities", 2000): a deviance that is exact near the mean, and the error of Stirling's formula. So nothing
 * cancels for large counts, as it does with differences of log-gammas. The incomplete beta and gamma functions multiply
 * these weights by continued fractions (modified Lentz) or, for the gamma's left side, a series.
 */

const halfLog2Pi = 0.5 * Math.log(2 * Math.PI)

/** Lanczos, g = 607/128, n = 15 (Godfrey); relative error below 1e-14 for x > 0. */
export function logGamma(x: number): number {
  let sum = lanczos[0]!
  for (let i = 1; i < lanczos.length; i++) sum += lanczos[i]! / (x + i - 1)
  const t = x + 607 / 128 - 0.5
  return (x - 0.5) * Math.log(t) - t + halfLog2Pi + Math.log(sum)
}

const lanczos = [
  0.99999999999999709182, 57.156235665862923517, -59.597960355475491248, 14.136097974741747174,
  -0.49191381609762019978, 0.33994649984811888699e-4, 0.46523628927048575665e-4,
  -0.98374475304879564677e-4, 0.15808870322491248884e-3, -0.21026444172410488319e-3,
  0.2174396181152126432e-3, -0.16431810653676389022e-3, 0.84418223983852743293e-4,
  -0.2619083840158140867e-4, 0.36899182659531622704e-5,
]

/** ln Γ(x + 1) minus Stirling's formula, x > 0. */
function stirlingError(x: number): number {
  if (x < 16) return logGamma(x + 1) - (x + 0.5) * Math.log(x) + x - halfLog2Pi
  const s = 1 / (x * x)
  return (1 / 12 - (1 / 360 - (1 / 1260 - (1 / 1680 - s / 1188) * s) * s) * s) / x
}

/** x ln(x / mean) + mean - x, without cancellation near x = mean. */
function deviance(x: number, mean: number): number {
  if (Math.abs(x - mean) >= 0.1 * (x + mean)) return x * Math.log(x / mean) + mean - x
  const v = (x - mean) / (x + mean)
  let sum = (x - mean) * v
  let term = 2 * x * v
  for (let j = 3; ; j += 2) {
    term *= v * v
    const next = sum + term / j
    if (next === sum) return sum
    sum = next
  }
}

/** Parameters of a beta distribution, and a point x with y = 1 - x, both exact. */
interface BetaPoint {
  a: number
  b: number
  x: number
  y: number
}

/** Γ(a + b + 1) / (Γ(a + 1) Γ(b + 1)) x^a y^b for real a, b > 0 and y = 1 - x. */
function binomialWeight({ a, b, x, y }: BetaPoint): number {
  const n = a + b
  const exponent =
    stirlingError(n) - stirlingError(a) - stirlingError(b) - deviance(a, n * x) - deviance(b, n * y)
  return Math.exp(exponent) * Math.sqrt(n / (2 * Math.PI * a * b))
}

function lentz(
  numerator: (i: number) => number,
  denominator: (i: number) => number,
  start: number,
): number {
  const tiny = 1e-300
  let f = start === 0 ? tiny : start
  let c = f
  let d = 0
  for (let i = 1; i < 100_000; i++) {
    const a = numerator(i)
    const b = denominator(i)
    d = 1 / (b + a * d || tiny)
    c = b + a / c || tiny
    f *= c * d
    if (Math.abs(c * d - 1) < 1e-16) break
  }
  return f
}

/** I_x(a, b) left of the mean, where the continued fraction converges. */
function betaFraction({ a, b, x, y }: BetaPoint): number {
  const fraction = lentz(
    i => {
      const m = i >> 1
      if (i % 2 === 1) return (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1))
      return (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m))
    },
    () => 1,
    1,
  )
  return ((b / (a + b)) * binomialWeight({ a, b, x, y })) / fraction
}

/** I_x(a, b) and 1 - I_x(a, b) for y = 1 - x; the smaller of the two has full relative accuracy. */
function betaTails({ a, b, x, y }: BetaPoint): readonly [number, number] {
  if (!(x > 0)) return [0, 1]
  if (!(y > 0)) return [1, 0]
  if (x > (a + 1) / (a + b + 2)) {
    const upper = betaFraction({ a: b, b: a, x: y, y: x })
    return [1 - upper, upper]
  }
  const lower = betaFraction({ a, b, x, y })
  return [lower, 1 - lower]
}

/** Lower and upper regularized incomplete gamma functions P(a, x) and Q(a, x), a > 0. */
function gammaTails(a: number, x: number): readonly [number, number] {
  if (!(x > 0)) return [0, 1]
  if (x === Infinity) return [1, 0]
  const weight = Math.exp(-stirlingError(a) - deviance(a, x)) / Math.sqrt(2 * Math.PI * a)
  if (x < a + 1) {
    let sum = 1
    let term = 1
    for (let i = 1; term > sum * 1e-17; i++) sum += term *= x / (a + i)
    return [weight * sum, 1 - weight * sum]
  }
  const fraction = lentz(
    i => -i * (i - a),
    i => x + 2 * i + 1 - a,
    x + 1 - a,
  )
  const upper = (weight * a) / fraction
  return [1 - upper, upper]
}

/** z with P(Z ≤ z) = p; ±Infinity at p = 0 and 1. Start: Abramowitz & Stegun 26.2.23, then Halley's steps. */
export function normalQuantile(p: number): number {
  if (p === 0.5) return 0
  const tail = Math.min(p, 1 - p)
  if (tail <= 0) return p < 0.5 ? -Infinity : Infinity
  const t = Math.sqrt(-2 * Math.log(tail))
  let z =
    t -
    (2.515517 + t * (0.802853 + t * 0.010328)) /
      (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)))
  for (let i = 0; i < 3; i++) {
    const [lower, upper] = gammaTails(0.5, (z * z) / 2)
    const error = (z < 0 ? 0.5 + lower / 2 : upper / 2) - tail
    const step = error / (Math.exp((-z * z) / 2 - halfLog2Pi) || Number.MIN_VALUE)
    z += step / (1 - (z * step) / 2)
  }
  return p < 0.5 ? -z : z
}

/** P(|T| ≥ |t|) of Student's t with `df` degrees of freedom: the two-sided p-value. */
export function tTwoSided(t: number, df: number): number {
  const square = t * t
  if (square === Infinity) return 0
  return betaTails({ a: df / 2, b: 0.5, x: df / (df + square), y: square / (df + square) })[0]
}

/** t with P(T ≤ t) = p of Student's t. */
export function tQuantile(p: number, df: number): number {
  if (p === 0.5) return 0
  const tail = 2 * Math.min(p, 1 - p)
  const t = increasingRoot(x => Math.log(tail) - Math.log(tTwoSided(x, df)), 0, 2)
  return p < 0.5 ? -t : t
}

/** Factor by which a variance with `df` degrees of freedom is raised so that 1.96 standard errors reach as far as Student's t does. */
export const studentFactor = (df: number): number => (tQuantile(0.975, df) / 1.96) ** 2

/** P(X ≥ x) of chi-square with `df` degrees of freedom. */
export function chiSquareUpper(x: number, df: number): number {
  return gammaTails(df / 2, x / 2)[1]
}

/** P(X ≤ k) of a binomial of `n` trials with chance `p`. */
export function binomialCdf(k: number, n: number, p: number): number {
  if (k < 0) return 0
  if (k >= n) return 1
  return betaTails({ a: n - k, b: k + 1, x: 1 - p, y: p })[0]
}

/** x with P(X ≤ x) = p of a beta distribution. */
export const betaQuantile = (p: number, a: number, b: number): number =>
  rootBetween(x => betaTails({ a, b, x, y: 1 - x })[0] - p, 0, 1)

/** P(F ≥ f) of Fisher's F with d1 and d2 degrees of freedom. */
export const fUpper = (f: number, d1: number, d2: number): number =>
  betaTails({ a: d2 / 2, b: d1 / 2, x: d2 / (d2 + d1 * f), y: (d1 * f) / (d2 + d1 * f) })[0]

/** Root of an increasing function on [low, ∞), by doubling `high` and then bracketing. */
function increasingRoot(f: (x: number) => number, low: number, high: number): number {
  while (f(high) < 0 && high < 1e300) high = low + (high - low) * 2
  return rootBetween(f, low, high)
}

/** Root of an increasing function on [low, high]: secant steps inside a bracket that also halves (Illinois and bisection). */
export function rootBetween(f: (x: number) => number, low: number, high: number): number {
  let fLow = f(low)
  let fHigh = f(high)
  for (let i = 0; i < 200; i++) {
    const width = high - low
    const secant = low - (fLow * width) / (fHigh - fLow)
    const inside = secant > low && secant < high && i % 3 !== 2
    const x = inside ? secant : low + width / 2
    if (x === low || x === high) break
    const value = f(x)
    if (value === 0) return x
    if (value < 0) [low, fLow] = [x, value]
    else [high, fHigh] = [x, value]
  }
  return Math.abs(fLow) < Math.abs(fHigh) ? low : high
}
