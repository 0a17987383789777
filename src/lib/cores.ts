/*
 * The cores that this process may use, and on machines with several memory nodes (NUMA) the binding of child processes to one node
 * each: memory of another node is slower to read, and the system moves processes between nodes.
 */
import { execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'

/** Returns the text of a file of the system, '' if it cannot be read. `root` is another folder in tests. */
const systemText = (root: string, file: string): string => {
  try {
    return readFileSync(join(root, file), 'utf8').trim()
  } catch {
    return ''
  }
}

/** Returns the number of cores for this process by its affinity and by the CPU quota of its container; at least 1. */
export const availableCores = (root = '/'): number =>
  Math.max(1, Math.floor(Math.min(availableParallelism(), cgroupQuota(root))))

/** Returns the least CPU quota, in cores, of this process's control group and of those around it; Infinity without one. */
export function cgroupQuota(root: string): number {
  const quotas = systemText(root, 'proc/self/cgroup')
    .split('\n')
    .flatMap(line => {
      const [, names = '', path = '/'] = /^\d+:([^:]*):(.*)$/.exec(line) ?? []
      if (names === '') return groupsAround(path).map(group => quotaOf(group, 'cpu.max', ''))
      if (!names.split(',').includes('cpu')) return []
      return groupsAround(path).map(group =>
        quotaOf(join('cpu', group), 'cpu.cfs_quota_us', 'cpu.cfs_period_us'),
      )
    })
  return Math.min(...quotas, Infinity)

  function quotaOf(group: string, file: string, periodFile: string): number {
    const folder = join('sys/fs/cgroup', group)
    const text = `${systemText(root, join(folder, file))} ${systemText(root, join(folder, periodFile))}`
    const [quota, period] = text.split(/\s+/).map(Number)
    return quota! > 0 && period! > 0 ? quota! / period! : Infinity
  }
}

/** Returns a path and all that contain it. Inside a container the path may be that of the host, and `/` is the container's own. */
const groupsAround = (path: string): string[] =>
  path === '/' ? ['/'] : [path, ...groupsAround(dirname(path))]

/** Returns the allowed cores of each memory node that has some, as Linux reports them; none on other systems. */
export function readNumaNodes(root = '/'): number[][] {
  const folder = 'sys/devices/system/node'
  const allowed = /^Cpus_allowed_list:\s*(.*)$/m.exec(systemText(root, 'proc/self/status'))?.[1]
  const mine = allowed === undefined ? undefined : new Set(parseCoreList(allowed))
  const names = listNames(join(root, folder)).filter(name => /^node\d+$/.test(name))
  return names
    .map(name => parseCoreList(systemText(root, join(folder, name, 'cpulist'))))
    .map(cores => cores.filter(core => mine?.has(core) ?? true))
    .filter(cores => cores.length > 0)
}

function listNames(folder: string): string[] {
  try {
    return readdirSync(folder).sort()
  } catch {
    return []
  }
}

/** Parses `0-3,8` as 0, 1, 2, 3, 8. */
export const parseCoreList = (text: string): number[] =>
  text.split(',').flatMap(part => {
    const [, first, last = first] = /^\s*(\d+)(?:-(\d+))?\s*$/.exec(part) ?? []
    if (first === undefined) return []
    return Array.from({ length: Number(last) - Number(first) + 1 }, (_, i) => Number(first) + i)
  })

/**
 * Returns for each process the cores of the node with most room for its threads; undefined for all processes on a machine with
 * one node, and for a process whose threads fit into no node.
 */
export function planAffinity(
  nodes: readonly (readonly number[])[],
  processes: number,
  threads: number,
): (readonly number[] | undefined)[] {
  const room = nodes.map(cores => cores.length)
  return Array.from({ length: processes }, () => {
    const most = Math.max(...room)
    if (nodes.length < 2 || most < threads) return undefined
    const node = room.indexOf(most)
    room[node]! -= threads
    return nodes[node]
  })
}

/** Binds a running process and its threads to some cores by `taskset`. Has no effect if the system lacks that program. */
export const bindProcess = (pid: number, cores: readonly number[]): Promise<void> =>
  new Promise(resolve => {
    execFile('taskset', ['-acp', cores.join(','), String(pid)], () => resolve())
  })
