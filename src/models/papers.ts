import { memoize } from '../lib/memoize.ts'
import { findModel } from './catalog.ts'

/** The paper that describes an architecture: the year in which its preprint appeared, and its address. */
export interface ArchitecturePaper {
  year: number
  source: string
}

/** Papers by the start of an architecture's name, as the sources of timm, OpenCLIP and transformers cite them; the first match is used. */
const papers: readonly (readonly [start: RegExp, arxiv: string])[] = [
  [/^clip:/, '2103.00020'],
  [/^eva/, '2211.07636'],
  [/^flava/, '2112.04482'],
  [/^dinov2|_dinov2/, '2304.07193'],
  [/^seer/, '2202.08360'],
  [/^vgg/, '1409.1556'],
  [/^antialiased_/, '1904.11486'],
  [/^resnet/, '1512.03385'],
  [/^dla/, '1707.06484'],
  [/^hrnet/, '1908.07919'],
  [/^regnet/, '2003.13678'],
  [/^rexnet/, '2007.00992'],
  [/^mobilenetv3/, '1905.02244'],
  [/^tinynet/, '2010.14819'],
  [/^lcnet/, '2109.15099'],
  [/^(tf_)?efficientnet_/, '1905.11946'],
  [/^g?mixer_/, '2105.01601'],
  [/^vit_(tiny|small|base|large|huge)_patch/, '2010.11929'],
  [/^edgenext/, '2206.10589'],
  [/^convnext_/, '2201.03545'],
]

/**
 * Returns the paper of a model's architecture, whose weights may be newer; null for one that is not in the table of papers.
 *
 * @example
 * architecturePaper('resnet50.a1_in1k') // { year: 2015, source: 'https://arxiv.org/abs/1512.03385' }
 */
export const architecturePaper = memoize((model: string): ArchitecturePaper | null => {
  const architecture = findModel(model)?.architecture
  const id = papers.find(([start]) => start.test(architecture ?? ''))?.[1]
  if (id === undefined) return null
  return { year: 2000 + Number(id.slice(0, 2)), source: `https://arxiv.org/abs/${id}` }
})
