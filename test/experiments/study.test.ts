import { describe, expect, it } from 'vitest'
import { runStudy } from '../../src/experiments/study.ts'

describe('study', () => {
  it('gives mean and deviation of every figure over the seeds', async () => {
    const run = (setting: number, seed: number) =>
      Promise.resolve({ accuracy: setting + [1, 2, 6][seed - 1]!, gap: seed > 1 ? null : 3 })
    expect(await runStudy({ settings: [0.5, 1], seeds: 3, run })).toEqual([
      {
        setting: 0.5,
        metric: 'accuracy',
        values: [1.5, 2.5, 6.5],
        mean: 3.5,
        deviation: Math.sqrt(7),
      },
      { setting: 0.5, metric: 'gap', values: [3, null, null], mean: 3, deviation: null },
      { setting: 1, metric: 'accuracy', values: [2, 3, 7], mean: 4, deviation: Math.sqrt(7) },
      { setting: 1, metric: 'gap', values: [3, null, null], mean: 3, deviation: null },
    ])
  })

  it('refuses nothing to study and runs that differ', async () => {
    const run = (_: number, seed: number) =>
      Promise.resolve<Record<string, number>>(seed === 1 ? { a: 1 } : { b: 1 })
    await expect(runStudy({ settings: [1], seeds: 0, run })).rejects.toThrow(
      'no settings or no seeds',
    )
    await expect(runStudy({ settings: [1], seeds: 2, run })).rejects.toThrow('a run at 1 gave no a')
  })
})
