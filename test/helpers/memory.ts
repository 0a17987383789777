import { readFileSync } from 'node:fs'

/**
 * The most memory that a process has had, in bytes, since its program began. Linux alone keeps that apart: elsewhere it is
 * this process's `maxRSS`, which begins with what the process had that started it.
 */
export function peakMemory(pid: number | 'self' = 'self'): number {
  if (process.platform !== 'linux') return process.resourceUsage().maxRSS * 1024
  const [, kilobytes] = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return 1024 * Number(kilobytes ?? 0)
}
