import { palette, mutedColor } from '../figures/theme.ts'
import { stripControlCharacters } from '../../lib/table/text.ts'

/** On a dark page each colour of the figures gives way to its lighter twin; printing is always light. */
export const darkFiguresCss = `@media screen and (prefers-color-scheme: dark) {
${[...palette, mutedColor]
  .map(
    ({ light, dark }) =>
      `svg [fill='${light}'] { fill: ${dark} }\nsvg [stroke='${light}'] { stroke: ${dark} }`,
  )
  .join('\n')}
}
`

/** At the foot of every printed page: its number, and what is made up. */
export const pageFootersCss = (madeUp: string | null): string => `@page {
  margin: 14mm 12mm 18mm;
  @bottom-right { content: counter(page) ' / ' counter(pages); font: 8pt sans-serif }
  @bottom-left { content: '${madeUp === null ? '' : cssText(madeUp)}'; font: 8pt sans-serif }
}
`

/** A text inside a CSS string: everything but letters, digits and spaces by its code. */
const cssText = (text: string): string =>
  stripControlCharacters(text).replace(
    /[^a-z0-9 ]/giu,
    character => `\\${character.codePointAt(0)!.toString(16)} `,
  )
