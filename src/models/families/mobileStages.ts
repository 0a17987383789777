/** The stages of EfficientNets and mobile networks in MnasNet's notation: those of mobileStages.tsv and what is derived from them. */
import { readTsv } from '../../lib/archive/tsv.ts'

type Stages = readonly string[]

const published = new Map(
  readTsv<'network' | 'stages'>(new URL('./mobileStages.tsv', import.meta.url)).map(
    ({ network, stages }) => [network, stages.split(' | ')],
  ),
)

/** Returns the published stages of a network. */
export const mobileStages = (network: string): Stages => published.get(network)!

/** Returns the stages without gates and with kernels of 3 alone. */
export const minimalStages = (stages: Stages): Stages =>
  stages.map(stage => stage.replaceAll('_se0.25', '').replaceAll('_k5', '_k3'))

/** Returns EfficientNet-B0's stages, the last three with mixed kernels. */
export const conditionalStages = (experts: number): Stages =>
  mobileStages('b0').map((stage, i) => (i < 4 ? stage : `${stage}_cc${experts}`))

/** Returns EfficientNet-B0's stages, the second and third with fused blocks, and less expansion in these and the fourth. */
export const acceleratedStages = (expand: number): Stages =>
  mobileStages('b0').map((stage, i) => {
    if (i === 0 || i > 3) return stage
    const line = stage.replace('_e6', `_e${expand}`)
    return i === 3 ? line : `${line.replace('ir', 'er')}_nre`
  })
