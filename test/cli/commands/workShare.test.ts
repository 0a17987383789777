import { describe, expect, it } from 'vitest'
import { parseShare } from '../../../src/cli/commands/workShare.ts'

/** The variables of each task of a Slurm array with these numbers. */
const slurmTasks = (ids: readonly number[], step = 1) =>
  ids.map(id => ({
    SLURM_ARRAY_TASK_ID: String(id),
    SLURM_ARRAY_TASK_MIN: String(Math.min(...ids)),
    SLURM_ARRAY_TASK_MAX: String(Math.max(...ids)),
    SLURM_ARRAY_TASK_STEP: String(step),
    SLURM_ARRAY_TASK_COUNT: String(ids.length),
  }))

const range = (first: number, last: number, step: number): number[] =>
  Array.from({ length: Math.floor((last - first) / step) + 1 }, (_, i) => first + i * step)

it('takes a share as it is given', () => {
  expect(parseShare('2/7', {})).toEqual({ index: 2, count: 7 })
  for (const wrong of ['0/3', '4/3', '1', 'x/y', '1/0', '-1/3', '1.5/3'])
    expect(() => parseShare(wrong, {}), wrong).toThrow(/--part takes i\/n/)
})

describe('auto in a Slurm array', () => {
  it.each([
    ['1-8', range(1, 8, 1), 1],
    ['0-14:2', range(0, 14, 2), 2],
    ['5-26:7', range(5, 26, 7), 7],
    ['3', [3], 1],
    ['3,7', [3, 7], 1],
    ['3,7,8', [3, 7, 8], 1],
  ])('%s: every share is done once', (_, ids, step) => {
    const shares = slurmTasks(ids, step).map(env => parseShare('auto', env))
    expect(shares).toEqual(ids.map((_, i) => ({ index: i + 1, count: ids.length })))
  })

  it.each([
    ['1,2,4,8', [1, 2, 4, 8], 1],
    ['1-7:2,20', [1, 3, 5, 7, 20], 2],
    ['0-3,9', [0, 1, 2, 3, 9], 1],
  ])('%s: a task in the middle of a list refuses', (_, ids, step) => {
    for (const env of slurmTasks(ids, step).slice(1, -1))
      expect(() => parseShare('auto', env)).toThrow(/are a list.*give --part i\/n/)
  })

  it('a variable that is missing or no number is named', () => {
    const [, env] = slurmTasks([1, 2, 3])
    for (const name of ['MIN', 'MAX', 'COUNT'])
      expect(() => parseShare('auto', { ...env, [`SLURM_ARRAY_TASK_${name}`]: undefined })).toThrow(
        `SLURM_ARRAY_TASK_${name} for --part auto: it is not set`,
      )
    expect(() => parseShare('auto', { ...env, SLURM_ARRAY_TASK_ID: 'x' })).toThrow(/ID.*: x;/)
  })
})

describe('auto in a Kubernetes Indexed Job', () => {
  it('takes the completion index, which counts from 0', () => {
    for (const index of [0, 1, 2])
      expect(
        parseShare('auto', { JOB_COMPLETION_INDEX: String(index), JOB_COMPLETIONS: '3' }),
      ).toEqual({ index: index + 1, count: 3 })
  })

  it('refuses a number of completions that is missing or too small', () => {
    expect(() => parseShare('auto', { JOB_COMPLETION_INDEX: '0' })).toThrow(/JOB_COMPLETIONS/)
    expect(() => parseShare('auto', { JOB_COMPLETION_INDEX: '3', JOB_COMPLETIONS: '3' })).toThrow(
      /JOB_COMPLETION_INDEX is 3, but JOB_COMPLETIONS is 3/,
    )
  })
})

it('auto names the variables that it looks for, and the way without them', () =>
  expect(() => parseShare('auto', {})).toThrow(/SLURM_ARRAY_TASK_ID.*give --part i\/n/))
