/** Judges runs without a change by the gate, as scripts/coverage.ts counts them. */
import { changeClusterings } from '../src/analysis/compare.ts'
import { independentImages } from '../src/metrics/designEffect.ts'
import {
  defaultAlpha,
  type GateCheck,
  judgeDisparities,
  judgeDrops,
  judgeWorst,
} from '../src/analysis/gateChecks.ts'
import { groupsWithEnough } from '../src/analysis/gate.ts'
import { type PairedCounts } from '../src/analysis/imagePairs.ts'
import { type Random } from '../src/lib/random.ts'
import { spread } from '../src/metrics/numbers.ts'
import { joinOutcomes } from '../src/metrics/signFlip.ts'
import { binomial, type GroupSample, type GroupWorld } from './coverageWorlds.ts'

/** Returns whether a run without a change breaks one of the three limits, each of which is set to the true value. */
export function gateFails(
  { groups, clusters }: GroupSample,
  { shares }: GroupWorld,
  random: Random,
  disparityMayBreak: boolean,
): boolean {
  const alpha = defaultAlpha / 3
  const minN = 30
  const run = { model: 'm', dataset: 'd', group: '', groups, clusters: clusters ?? null }
  const judged = groupsWithEnough(run, minN)
  const flips = judged.map(({ group, counts }) => ({
    group,
    cells: drawFlips(group, clusters?.filter(one => one.group === group) ?? counts.n, random),
  }))
  const clusterings = changeClusterings(flips.flatMap(({ cells }) => cells))
  const drops = flips.map(({ group, cells }) => ({
    model: 'm',
    dataset: 'd',
    group,
    counts: joinOutcomes(cells),
    ...(clusterings.get(group) ?? independentImages),
  }))
  const isBroken = ({ verdict }: GateCheck): boolean => verdict === 'broken'
  if (judgeDrops(drops, 0, alpha).some(isBroken)) return true
  if (judgeWorst(judged, Math.min(...shares), alpha).some(isBroken)) return true
  if (!disparityMayBreak) return false
  return judgeDisparities([run], spread([...shares]), { minN, alpha }).some(isBroken)
}

/** Flips of 1 % of `n` images each way, or of 3 % of the households each way, whose images flip together. */
function drawFlips(
  group: string,
  images: number | readonly { n: number }[],
  random: Random,
): PairedCounts[] {
  if (typeof images === 'number') {
    const onlyFirst = binomial(images, 0.01, random)
    return [
      flipped({
        group,
        n: images,
        onlyFirst,
        onlySecond: binomial(images - onlyFirst, 0.01, random),
      }),
    ]
  }
  return images.map(({ n }, i) => {
    const own = { group, n, cluster: `${i}`, onlyFirst: 0, onlySecond: 0 }
    if (random() >= 0.06) return flipped(own)
    const side = random() < 0.5 ? 'onlySecond' : 'onlyFirst'
    own[side] = Math.max(1, binomial(n, 0.6, random))
    return flipped(own)
  })
}

/** Outcomes of `n` images of a household, or of independent ones, of which some flip. */
export const flipped = (of: {
  group: string
  n: number
  cluster?: string
  onlyFirst: number
  onlySecond: number
}): PairedCounts => {
  const { n, onlyFirst, onlySecond, group, cluster = null } = of
  return {
    group,
    label: '',
    cluster,
    both: n - onlyFirst - onlySecond,
    onlyFirst,
    onlySecond,
    neither: 0,
  }
}
