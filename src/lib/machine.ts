import { readFileSync } from 'node:fs'
import { cpus, hostname } from 'node:os'

/** The machine that computes results: those of two machines may differ in the last digits. */
export interface Machine {
  machine: string
  /** Instruction sets by which kernels are chosen; `unknown` if the system does not tell. */
  instructions: string
  host: string
}

const relevantInstructions =
  'avx avx2 avx_vnni avx512f avx512_vnni avx512_bf16 amx_tile asimddp i8mm bf16 sve'.split(' ')

let knownMachine: Machine | undefined

export function currentMachine(): Machine {
  return (knownMachine ??= {
    machine: `${process.platform} ${process.arch}, ${cpus()[0]?.model.trim() ?? 'unknown processor'}`,
    instructions: instructionSets(),
    host: hostname(),
  })
}

function instructionSets(): string {
  try {
    const [, flags = ''] =
      /^(?:flags|Features)\s*:\s*(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8')) ?? []
    const present = flags.split(' ')
    return relevantInstructions.filter(name => present.includes(name)).join(' ') || 'unknown'
  } catch {
    return 'unknown'
  }
}

/** Whether a process of this machine runs, whoever it belongs to. */
export function isProcessRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
