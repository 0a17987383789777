/** The widths of networks that were pruned after training (Aflalo et al. 2020). */
import { readTsv } from '../../lib/archive/tsv.ts'

/**
 * A stage's channels and, for each block, the channels of its expansion and of its gate (EfficientNet), or of its first and
 * second convolution (ResNet).
 */
export interface PrunedStage {
  out: number
  blocks: readonly (readonly [first: number, second: number])[]
}

const readStage = (line: string): PrunedStage => {
  const [out, blocks] = line.split(': ') as [string, string]
  const pairs = blocks.split(' ').map(pair => pair.split('/').map(Number) as [number, number])
  return { out: Number(out), blocks: pairs }
}

const published = new Map(
  readTsv<'network' | 'stages'>(new URL('./prunedWidths.tsv', import.meta.url)).map(
    ({ network, stages }) => [network, stages.split(' | ').map(readStage)],
  ),
)

/** Returns the stages of a pruned network of prunedWidths.tsv. */
export const prunedStages = (network: string): readonly PrunedStage[] => published.get(network)!
