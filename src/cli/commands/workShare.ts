import { type WorkShare } from '../../evaluate/units.ts'
import { inputError } from '../../lib/errors.ts'

/** Reads `3/8`, or `auto` for this process's place in a Slurm array or a Kubernetes Indexed Job. Errors: bad-option, no-array. */
export function parseShare(text: string, env: NodeJS.ProcessEnv = process.env): WorkShare {
  if (text === 'auto') return shareFromEnvironment(env)
  const [, index, count] = /^(\d+)\/(\d+)$/.exec(text) ?? []
  const share = { index: Number(index), count: Number(count) }
  if (count === undefined || share.index < 1 || share.index > share.count)
    throw inputError('bad-option', `--part takes i/n with i from 1 to n, or auto, not ${text}`)
  return share
}

function shareFromEnvironment(env: NodeJS.ProcessEnv): WorkShare {
  if (env['SLURM_ARRAY_TASK_ID'] !== undefined) return slurmShare(env)
  if (env['JOB_COMPLETION_INDEX'] !== undefined) return kubernetesShare(env)
  throw inputError(
    'no-array',
    'no array job for --part auto: neither SLURM_ARRAY_TASK_ID nor JOB_COMPLETION_INDEX is set; give --part i/n',
  )
}

/**
 * Returns the rank of a task in an array that is a range with a step, or a list of at most three numbers. Slurm does not pass
 * longer lists to a task, so the rank in them is unknown.
 */
function slurmShare(env: NodeJS.ProcessEnv): WorkShare {
  const [id, min, max, count] = ['ID', 'MIN', 'MAX', 'COUNT'].map(name =>
    wholeVariable(env, `SLURM_ARRAY_TASK_${name}`),
  ) as [number, number, number, number]
  const step = wholeVariable(env, 'SLURM_ARRAY_TASK_STEP', '1') || 1
  if (id === min) return { index: 1, count }
  if (id === max) return { index: count, count }
  const isInside = id > min && id < max
  const isRange = min + (count - 1) * step === max && (id - min) % step === 0
  if (isInside && isRange) return { index: (id - min) / step + 1, count }
  if (isInside && count === 3) return { index: 2, count }
  throw inputError(
    'no-array',
    `no rank for --part auto: ${count} tasks from ${min} to ${max} in steps of ${step} are a list, and Slurm does not say which one task ${id} is; submit a range, or give --part i/n`,
  )
}

function kubernetesShare(env: NodeJS.ProcessEnv): WorkShare {
  const index = wholeVariable(env, 'JOB_COMPLETION_INDEX') + 1
  const count = wholeVariable(env, 'JOB_COMPLETIONS')
  if (index <= count) return { index, count }
  throw inputError(
    'no-array',
    `no share for --part auto: JOB_COMPLETION_INDEX is ${index - 1}, but JOB_COMPLETIONS is ${count}; set it to the job's completions`,
  )
}

function wholeVariable(env: NodeJS.ProcessEnv, name: string, fallback = ''): number {
  const text = env[name] ?? fallback
  if (/^\d+$/.test(text)) return Number(text)
  throw inputError(
    'no-array',
    `no whole number in ${name} for --part auto: ${text === '' ? 'it is not set' : text}; give --part i/n`,
  )
}
