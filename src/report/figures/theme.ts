import type { Config, TopLevelSpec } from 'vega-lite'
import { fontFamily } from './measure.ts'

/** Text, axes and grid take the page's text colour, so that a figure fits a light and a dark page. */
export const ink = 'currentColor'

/**
 * Colours that stay apart for the common kinds of colour blindness (after Okabe and Ito 2008), darkened to a contrast of
 * at least 4.5 on white; `dark` is what a dark page puts in place of each.
 */
export const palette = [
  { light: '#0069aa', dark: '#56b4e9' },
  { light: '#b45309', dark: '#f0a33c' },
  { light: '#00795a', dark: '#2fc79a' },
  { light: '#a3417f', dark: '#e08fc0' },
  { light: '#7a6a00', dark: '#d9c84a' },
  { light: '#5b5bbf', dark: '#a5a5f5' },
  { light: '#b3302d', dark: '#f58a80' },
  { light: '#4d6b73', dark: '#a3bcc4' },
] as const

/** The colour of the `i`-th series; colours repeat after the last. */
export const seriesColor = (i: number): string => palette[i % palette.length]!.light

/** Standard benchmarks are blue and geographic ones orange, as in the paper. */
export const standardColor = seriesColor(0)
export const geographicColor = seriesColor(1)

/** What is shown beside the main thing: other models, other regions. */
export const mutedColor = { light: '#6b7280', dark: '#9aa3b2' } as const

/** The tens around accuracies in percent, at least ten points apart: the ends of their colours. */
export function colorDomain(accuracies: readonly number[]): [low: number, high: number] {
  if (accuracies.length === 0) return [0, 100]
  const low = 10 * Math.floor(Math.min(90, ...accuracies) / 10)
  return [low, Math.max(low + 10, 10 * Math.ceil(Math.max(...accuracies) / 10))]
}

/** Accuracies as colours that are readable with colour blindness and in grey, with a legend `length` pixels long or none. */
export const accuracyColor = (
  field: string,
  domain: readonly [number, number],
  length: number | null,
) => ({
  field,
  type: 'quantitative' as const,
  scale: { scheme: 'viridis', domain: [...domain] } as const,
  legend:
    length === null
      ? null
      : ({
          title: 'top-1 accuracy (%)',
          orient: 'bottom',
          direction: 'horizontal',
          gradientLength: length,
          gradientThickness: 9,
        } as const),
})

/** Differences in points around 0 as colours, orange below and blue above it, up to `most` on both sides. */
export const differenceColor = (field: string, most: number, length: number | null) => ({
  field,
  type: 'quantitative' as const,
  scale: { scheme: 'blueorange', domain: [-most, most], reverse: true } as const,
  legend:
    length === null
      ? null
      : ({
          title: 'points from all images',
          orient: 'bottom',
          direction: 'horizontal',
          gradientLength: length,
          gradientThickness: 9,
        } as const),
})

/** The fill of areas that rest on few images; `hatchPattern` defines it. */
export const hatchFill = 'url(#hatch)'

/** The definition of that fill. */
const hatchPattern =
  '<defs><pattern id="hatch" width="5" height="5" patternUnits="userSpaceOnUse"><path d="M-1,1L1,-1M0,5L5,0M4,6L6,4" stroke="currentColor" stroke-width="0.9" fill="none"/></pattern></defs>'

/** Returns the markup of a drawing with the hatching that it uses. */
export const withHatch = (svg: string): string =>
  svg.includes(hatchFill) ? svg.replace(/<svg[^>]*>/, tag => `${tag}${hatchPattern}`) : svg

export const fontSizePx = 11
export const titleSizePx = 11

/** Applied to every figure. */
const config: Config = {
  background: 'transparent',
  font: fontFamily,
  padding: 4,
  aria: false,
  view: { stroke: null },
  axis: {
    labelColor: ink,
    titleColor: ink,
    labelFontSize: fontSizePx,
    titleFontSize: fontSizePx,
    titleFontWeight: 'normal',
    labelLimit: 0,
    titleLimit: 0,
    gridColor: ink,
    gridOpacity: 0.14,
    domainColor: ink,
    domainOpacity: 0.5,
    tickColor: ink,
    tickOpacity: 0.5,
    titlePadding: 8,
    labelFlush: false,
  },
  title: {
    color: ink,
    subtitleColor: ink,
    fontSize: titleSizePx,
    subtitleFontSize: fontSizePx,
    fontWeight: 'bold',
    anchor: 'start',
    limit: 0,
    offset: 8,
    subtitlePadding: 4,
  },
  legend: {
    labelColor: ink,
    titleColor: ink,
    labelFontSize: fontSizePx,
    titleFontSize: fontSizePx,
    titleFontWeight: 'normal',
    titleLimit: 0,
    labelLimit: 0,
  },
  text: { color: ink, fontSize: fontSizePx },
  concat: { spacing: 28 },
}

/** The specification with the house's configuration, complete for any Vega-Lite renderer. */
export const withThemeConfig = (spec: TopLevelSpec): TopLevelSpec => ({
  $schema: 'https://vega.github.io/schema/vega-lite/v6.json',
  ...spec,
  config: { ...config, ...spec.config },
})
