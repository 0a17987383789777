import { printable } from '../../lib/table/text.ts'

/** Text that is known to be markup; everything else is escaped where it enters a template. */
export interface Markup {
  readonly markup: string
}

export const trusted = (markup: string): Markup => ({ markup })

type Part = Markup | string | number | null | undefined | false | readonly Part[]

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** Text for an element's content or a quoted attribute, without control characters. */
const escaped = (text: string): string => printable(text).replace(/[&<>"']/g, found => entities[found]!)

function written(part: Part): string {
  if (part === null || part === undefined || part === false) return ''
  if (typeof part === 'string') return escaped(part)
  if (typeof part === 'number') return String(part)
  return 'markup' in part ? part.markup : part.map(written).join('')
}

/** A template whose values are escaped; lists are joined, null and false are left out. */
export function markup(texts: TemplateStringsArray, ...values: readonly Part[]): Markup {
  return trusted(texts.reduce((all, text, i) => all + written(values[i - 1]) + text))
}
