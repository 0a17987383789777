import { execFileSync, spawn } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  availableCores,
  bindProcess,
  cgroupQuota,
  parseCoreList,
  planAffinity,
  readNumaNodes,
} from '../../src/lib/cores.ts'

let root: string
beforeEach(async () => void (root = await mkdtemp(join(tmpdir(), 'geogap-cores-'))))
afterEach(() => rm(root, { recursive: true, force: true }))

/** Lays out files of a system below `root`. */
async function layOut(files: Record<string, string>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, name)), { recursive: true })
    await writeFile(join(root, name), `${text}\n`)
  }
}

const node = (n: number): string => `sys/devices/system/node/node${n}/cpulist`
const allowed = (list: string) => ({
  'proc/self/status': `Name:\tnode\nCpus_allowed_list:\t${list}`,
})

describe('the memory nodes of a machine', () => {
  it('are those of Linux with their cores, without nodes that are memory alone', async () => {
    expect(readNumaNodes(root)).toEqual([])
    await layOut({
      [node(0)]: '0-3,8-11',
      [node(1)]: '4-7,12-15',
      [node(2)]: '',
      'sys/devices/system/node/online': '0-2',
      ...allowed('0-15'),
    })
    expect(readNumaNodes(root)).toEqual([
      [0, 1, 2, 3, 8, 9, 10, 11],
      [4, 5, 6, 7, 12, 13, 14, 15],
    ])
  })

  it("have only the cores of the container's cpuset", async () => {
    await layOut({ [node(0)]: '0-63', [node(1)]: '64-127', ...allowed('60-66') })
    expect(readNumaNodes(root)).toEqual([
      [60, 61, 62, 63],
      [64, 65, 66],
    ])
    await layOut(allowed('0-7'))
    expect(readNumaNodes(root)).toHaveLength(1)
  })

  it('reads lists as Linux writes them', () => {
    expect(parseCoreList('')).toEqual([])
    expect(parseCoreList('0')).toEqual([0])
    expect(parseCoreList('0-2,5,7-8\n')).toEqual([0, 1, 2, 5, 7, 8])
  })
})

describe('processes on memory nodes', () => {
  const range = (first: number, count: number) => Array.from({ length: count }, (_, i) => first + i)
  const two = [range(0, 96), range(96, 96)]
  const counts = (nodes: number[][], processes: number, threads: number) => {
    const plan = planAffinity(nodes, processes, threads)
    return [...nodes, undefined].map(cores => plan.filter(one => one === cores).length)
  }
  it('are as many on each node as its cores have room for', () => {
    expect(counts(two, 192, 1)).toEqual([96, 96, 0])
    expect(counts(two, 45, 4)).toEqual([23, 22, 0])
    expect(counts([range(0, 4), range(4, 12)], 16, 1)).toEqual([4, 12, 0])
    expect(counts([range(0, 64), range(64, 64)], 8, 1)).toEqual([4, 4, 0])
  })
  it('are bound nowhere on one node, and where their threads fit into none', () => {
    expect(counts([range(0, 8)], 8, 1)).toEqual([0, 8])
    expect(planAffinity([], 2, 1)).toEqual([undefined, undefined])
    expect(counts(two, 1, 192)).toEqual([0, 0, 1])
    expect(counts(two, 3, 64)).toEqual([1, 1, 1])
  })

  const canBind = (): boolean => {
    try {
      execFileSync('taskset', ['-c', '1', 'true'], { stdio: 'ignore' })
      return true
    } catch {
      return false
    }
  }
  it.skipIf(!canBind())('runs on the cores it is bound to', async () => {
    const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60000)'])
    try {
      await bindProcess(child.pid!, [1])
      const status = await readFile(`/proc/${child.pid}/status`, 'utf8')
      expect(status).toMatch(/^Cpus_allowed_list:\s*1$/m)
    } finally {
      child.kill('SIGKILL')
    }
  })
  it('is left alone when it is gone', async () => {
    await expect(bindProcess(2 ** 30, [0])).resolves.toBeUndefined()
  })
})

describe('the quota of a control group', () => {
  it.each([
    [
      'v2, in a container',
      { 'proc/self/cgroup': '0::/', 'sys/fs/cgroup/cpu.max': '250000 100000' },
      2.5,
    ],
    [
      'v2, of a slice around it',
      {
        'proc/self/cgroup': '0::/user.slice/job.scope',
        'sys/fs/cgroup/user.slice/cpu.max': '400000 100000',
        'sys/fs/cgroup/user.slice/job.scope/cpu.max': 'max 100000',
      },
      4,
    ],
    [
      'v2, of a host path that the container does not see',
      { 'proc/self/cgroup': '0::/docker/0a1b', 'sys/fs/cgroup/cpu.max': '100000 100000' },
      1,
    ],
    [
      'v1',
      {
        'proc/self/cgroup': '3:cpuset:/\n2:cpu,cpuacct:/docker/0a1b\n0::/',
        'sys/fs/cgroup/cpu/cpu.cfs_quota_us': '150000',
        'sys/fs/cgroup/cpu/cpu.cfs_period_us': '50000',
      },
      3,
    ],
    [
      'none',
      {
        'proc/self/cgroup': '2:cpu:/',
        'sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1',
        'sys/fs/cgroup/cpu/cpu.cfs_period_us': '100000',
      },
      Infinity,
    ],
  ])('%s', async (_, files, cores) => {
    await layOut(files)
    expect(cgroupQuota(root)).toBe(cores)
    expect(availableCores(root)).toBe(
      Math.max(1, Math.floor(Math.min(cores, availableParallelism()))),
    )
  })
  it('of a part of a core leaves one, and without any there are all cores', async () => {
    expect(availableCores(root)).toBe(availableParallelism())
    await layOut({ 'proc/self/cgroup': '0::/', 'sys/fs/cgroup/cpu.max': '20000 100000' })
    expect(availableCores(root)).toBe(1)
  })
})
