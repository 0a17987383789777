import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  binomialCdf,
  chiSquareUpper,
  normalQuantile,
  tQuantile,
  tTwoSided,
} from '../../src/metrics/distributions.ts'

/** Values of SciPy 1.17's norm, t, chi2, beta and binom. */
const scipy: [name: string, ours: number, expected: number][] = [
  ['normalQuantile(1e-300)', normalQuantile(1e-300), -37.0470962993612],
  ['normalQuantile(1e-12)', normalQuantile(1e-12), -7.034483825301131],
  ['normalQuantile(0.001)', normalQuantile(0.001), -3.090232306167813],
  ['normalQuantile(0.025)', normalQuantile(0.025), -1.9599639845400545],
  ['normalQuantile(0.2)', normalQuantile(0.2), -0.8416212335729142],
  ['normalQuantile(0.975)', normalQuantile(0.975), 1.959963984540054],
  ['tQuantile(1e-12, 5)', tQuantile(1e-12, 5), -393.95695957760375],
  ['tQuantile(0.025, 1)', tQuantile(0.025, 1), -12.706204736174705],
  ['tQuantile(0.975, 96)', tQuantile(0.975, 96), 1.984984311522457],
  ['tQuantile(0.9995, 125)', tQuantile(0.9995, 125), 3.370064640378276],
  ['tQuantile(0.3, 100000)', tQuantile(0.3, 100000), -0.5244021842335457],
  ['tTwoSided(0.2, 3)', tTwoSided(0.2, 3), 0.854270329246279],
  ['tTwoSided(-2, 1)', tTwoSided(-2, 1), 0.2951672353008665],
  ['tTwoSided(30, 10)', tTwoSided(30, 10), 3.961792342031325e-11],
  ['tTwoSided(47.9, 125)', tTwoSided(47.9, 125), 2.7477893973616063e-82],
  ['tTwoSided(100.93, 125)', tTwoSided(100.93, 125), 1.1981819251350532e-121],
  ['chiSquareUpper(0.01, 1)', chiSquareUpper(0.01, 1), 0.920344325445942],
  ['chiSquareUpper(10, 5)', chiSquareUpper(10, 5), 0.07523524614651217],
  ['chiSquareUpper(200, 36)', chiSquareUpper(200, 36), 1.2570844105839878e-24],
  ['chiSquareUpper(1200, 36)', chiSquareUpper(1200, 36), 1.2979998732071655e-228],
  ['chiSquareUpper(900, 1000)', chiSquareUpper(900, 1000), 0.9892827619087102],
  ['binomialCdf(1, 10, 0.5)', binomialCdf(1, 10, 0.5), 0.0107421875],
  ['binomialCdf(646, 1463, 0.5)', binomialCdf(646, 1463, 0.5), 4.307319932852473e-6],
  ['binomialCdf(260, 1536, 0.5)', binomialCdf(260, 1536, 0.5), 3.0802910252292915e-161],
  ['binomialCdf(49000, 100000, 0.5)', binomialCdf(49000, 100000, 0.5), 1.2943580191734472e-10],
  ['binomialCdf(3, 40, 0.02)', binomialCdf(3, 40, 0.02), 0.9917590718995956],
]

describe('distributions', () => {
  it.each(scipy)('%s equals SciPy', (_, ours, expected) => {
    expect(Math.abs(ours / expected - 1)).toBeLessThan(2e-12)
  })

  it('gives infinities and zeros at the ends', () => {
    expect(normalQuantile(0)).toBe(-Infinity)
    expect(normalQuantile(1)).toBe(Infinity)
    expect(normalQuantile(0.5)).toBe(0)
    expect(tTwoSided(Infinity, 3)).toBe(0)
    expect(tTwoSided(0, 3)).toBe(1)
    expect(chiSquareUpper(0, 4)).toBe(1)
    expect(chiSquareUpper(Infinity, 4)).toBe(0)
    expect(binomialCdf(-1, 5, 0.3)).toBe(0)
    expect(binomialCdf(5, 5, 0.3)).toBe(1)
  })

  it('inverts itself', () => {
    const chance = fc.double({ min: 1e-9, max: 1 - 1e-9, noNaN: true })
    const shape = fc.double({ min: 1, max: 5000, noNaN: true })
    fc.assert(
      fc.property(chance, shape, (p, df) => {
        const upper = tTwoSided(tQuantile(p, df), df) / 2
        return Math.abs(upper - Math.min(p, 1 - p)) < 1e-10
      }),
    )
  })

  it('sums binomial chances', () => {
    const pmf = [0.7 ** 3, 3 * 0.3 * 0.7 ** 2, 3 * 0.3 ** 2 * 0.7]
    expect(binomialCdf(1, 3, 0.3)).toBeCloseTo(pmf[0]! + pmf[1]!, 14)
    expect(binomialCdf(2, 3, 0.3)).toBeCloseTo(1 - 0.3 ** 3, 14)
  })
})
