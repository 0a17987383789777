/**
 * The notation of the MnasNet authors (Tan et al. 2018) for stages of mobile networks, as timm writes it: a line such as
 * `ir_r2_k3_s2_e6_c24_se0.25` is two inverted residual blocks with kernels of 3, stride 2 at the first, six times the
 * channels inside, 24 channels out and squeeze-and-excitation.
 */
import { roundHalfEven } from './rounding.ts'

/**
 * `ds` depthwise and pointwise, `dsa` with an activation after both, `ir` inverted residual, `er` its first two
 * convolutions fused, `cn` one convolution, `uir` universal inverted bottleneck, `mqa` multi-query attention.
 */
export type MobileBlockType = 'ds' | 'dsa' | 'ir' | 'er' | 'cn' | 'uir' | 'mqa'

export interface MobileBlock {
  type: MobileBlockType
  /** Sides of the depthwise kernels, over equal shares of the channels; 0 for none. */
  kernels: readonly number[]
  /** Groups of the convolutions before and after the depthwise one (`a1.1`, `p1.1` are two each). */
  expandGroups: number
  projectGroups: number
  /** Side of the kernel before the expansion (`uir`). */
  startKernel: number
  stride: number
  expand: number
  /** Channels that the expansion counts from, where they are not the input's. */
  expandFrom: number | undefined
  out: number
  /** Channels of the gate as a share of the block's, 0 for no gate. */
  gateShare: number
  /** The block's own activation, by the letters of the notation. */
  activation: 'relu' | 'silu' | undefined
  /** Whether the input is added where the shapes agree: unless `noskip` says otherwise; in `cn` if `skip` does; never in `dsa`. */
  skip: boolean
  /** Channels of a group of the depthwise or fused convolution. */
  groupWidth: number | undefined
  /** Kernels that are mixed for each image (`cc4`), 0 for none. */
  experts: number
  /** Attention: heads, width of a head's keys, stride of keys and values. */
  heads: number
  keyWidth: number
  keyStride: number
}

/** Reads one line: the block and how often it stands. */
function readLine(line: string): { block: MobileBlock; repeat: number } {
  const [type, ...options] = line.split('_') as [MobileBlockType, ...string[]]
  const values = new Map(
    options.map(option => {
      const [, key, value] = /^([a-z]+)([\d.]*)$/.exec(option)!
      return [key!, value!] as const
    }),
  )
  const number = (key: string, otherwise: number): number => Number(values.get(key) ?? otherwise)
  const list = (key: string): number[] => (values.get(key) ?? '').split('.').map(Number)
  const universal = type === 'uir'
  return {
    repeat: number('r', 1),
    block: {
      type,
      kernels: list('k'),
      expandGroups: universal ? 1 : Math.max(1, list('a').length),
      projectGroups: Math.max(1, list('p').length),
      startKernel: universal ? number('a', 0) : 0,
      stride: number('s', 1),
      expand: number('e', 1),
      expandFrom: values.has('fc') ? number('fc', 0) : undefined,
      out: number('c', 0),
      gateShare: number('se', 0),
      activation: values.has('nre') ? 'relu' : values.has('nsw') ? 'silu' : undefined,
      skip: type === 'cn' ? values.has('skip') : type !== 'dsa' && !values.has('noskip'),
      groupWidth: values.has('gs') ? number('gs', 1) : undefined,
      experts: number('cc', 0),
      heads: number('h', 1),
      keyWidth: number('d', 64),
      keyStride: number('v', 1),
    },
  }
}

export interface DepthScale {
  factor: number
  /** Whether the blocks of a stage are rounded to the nearest number, not up. */
  nearest?: boolean
}

/** Reads a stage, lines apart by spaces, and repeats its blocks by the factor; strides belong to the first of each line. */
export function readStage(stage: string, { factor, nearest = false }: DepthScale): MobileBlock[] {
  const lines = stage.split(' ').map(readLine)
  let left = lines.reduce((sum, { repeat }) => sum + repeat, 0)
  let scaled = nearest ? Math.max(1, roundHalfEven(left * factor)) : Math.ceil(left * factor)
  const counts = lines.toReversed().map(({ repeat }) => {
    const count = Math.max(1, roundHalfEven((repeat / left) * scaled))
    left -= repeat
    scaled -= count
    return count
  })
  return counts
    .reverse()
    .flatMap((count, line) => Array.from({ length: count }, () => lines[line]!.block))
    .map((block, i) => (i === 0 ? block : { ...block, stride: 1 }))
}
