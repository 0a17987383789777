import { palette, quiet } from '../figures/theme.ts'

/** On a dark page each colour of the figures gives way to its lighter twin; printing is always light. */
export const darkFigures = `@media screen and (prefers-color-scheme: dark) {
${[...palette, quiet]
  .map(({ light, dark }) => `svg [fill='${light}'] { fill: ${dark} }\nsvg [stroke='${light}'] { stroke: ${dark} }`)
  .join('\n')}
}
`
