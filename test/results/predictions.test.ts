import { describe, expect, it } from 'vitest'
import { type Choices } from '../../src/datasets/dataset.ts'
import { emptyPredictions } from '../../src/results/predictions.ts'
import { scoreRow } from '../../src/results/scoreRow.ts'

function scored(logits: readonly number[], labels: readonly number[], choices: Choices = 'all') {
  const outcomes = emptyPredictions('model', 1)
  scoreRow(outcomes, 0, { logits: Float32Array.from(logits), labels, choices })
  return {
    status: outcomes.status[0],
    top5: [...outcomes.top5],
    rank: outcomes.rank[0],
    p: [...outcomes.probabilities],
    target: outcomes.targetProbability[0],
  }
}

describe('a row of logits', () => {
  it('is ranked with equal logits by class, among the choices', () => {
    expect(scored([1, 3, 3, 2, 0, -1, 3], [3])).toMatchObject({
      status: 'ok',
      top5: [1, 2, 6, 3, 0],
      rank: 4,
    })
    expect(scored([1, 3, 3, 2, 0, -1, 3], [0, 5], [0, 2, 5])).toMatchObject({
      top5: [2, 0, 5, -1, -1],
      rank: 2,
    })
    expect(scored([1, 2], [])).toMatchObject({ status: 'ok', top5: [1, 0, -1, -1, -1], rank: 0 })
  })

  it('may rule classes out by minus infinity', () => {
    expect(scored([-Infinity, 0, 0], [0])).toMatchObject({
      status: 'ok',
      rank: 3,
      p: [0.5, 0.5, 0, NaN, NaN],
      target: 0,
    })
  })

  it('has the probability of all accepted classes among the choices, also beyond the first five', () => {
    const logits = [5, 5, 5, 5, 5, 0, Math.log(2)]
    const total = 5 * Math.exp(5) + 1 + 2
    expect(scored(logits, [5, 6]).target).toBeCloseTo(3 / total, 8)
    expect(scored(logits, [5, 6], [5, 6, 0]).target).toBeCloseTo(3 / (Math.exp(5) + 3), 7)
    expect(scored(logits, [0, 6], [5, 6]).target).toBeCloseTo(2 / 3, 7)
    // A model with fewer classes than the labels.
    expect(scored([1, 1], [0, 7]).target).toBe(0.5)
    expect(scored([1, 1], []).target).toBe(0)
  })

  it.each([
    ['a NaN', [1, NaN, 2]],
    ['infinity, as an overflow gives', [1, Infinity, 2]],
    ['minus infinity alone', [-Infinity, -Infinity]],
  ])('of %s is not a number', (_, logits) => {
    const { status, top5, rank } = scored(logits, [1])
    expect({ status, top5, rank }).toEqual({
      status: 'not-a-number',
      top5: [-1, -1, -1, -1, -1],
      rank: 0,
    })
  })
})
