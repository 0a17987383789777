import { type WorkShare } from '../../evaluate/units.ts'
import { inputError } from '../../lib/errors.ts'

/** `3/8`; `auto` is the place in a Slurm array or in a Kubernetes Indexed Job, whose size comes from JOB_COMPLETIONS. */
export function parseShare(text: string, env: NodeJS.ProcessEnv = process.env): WorkShare {
  const share = text === 'auto' ? shareFromEnvironment(env) : text
  const [, index, count] = /^(\d+)\/(\d+)$/.exec(share) ?? []
  const [i, n] = [Number(index), Number(count)]
  if (count === undefined || i < 1 || i > n)
    throw inputError('bad-option', `--part takes i/n with i from 1 to n, or auto, not ${share}`)
  return { index: i, count: n }
}

function shareFromEnvironment(env: NodeJS.ProcessEnv): string {
  const {
    SLURM_ARRAY_TASK_ID: task,
    SLURM_ARRAY_TASK_MIN = '0',
    SLURM_ARRAY_TASK_COUNT: tasks,
  } = env
  if (task !== undefined && tasks !== undefined)
    return `${Number(task) - Number(SLURM_ARRAY_TASK_MIN) + 1}/${tasks}`
  const { JOB_COMPLETION_INDEX: pod, JOB_COMPLETIONS: pods } = env
  if (pod !== undefined && pods !== undefined) return `${Number(pod) + 1}/${pods}`
  throw inputError(
    'no-array',
    '--part auto: neither SLURM_ARRAY_TASK_ID and SLURM_ARRAY_TASK_COUNT nor JOB_COMPLETION_INDEX and JOB_COMPLETIONS are set',
  )
}
