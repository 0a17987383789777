import { escapeHtml } from '../../lib/table/text.ts'

/** Text that is markup; any other text is escaped when it enters a template. */
export interface Markup {
  readonly markup: string
}

export const trustMarkup = (markup: string): Markup => ({ markup })

type MarkupPart = Markup | string | number | null | undefined | false | readonly MarkupPart[]

function partText(part: MarkupPart): string {
  if (part === null || part === undefined || part === false) return ''
  if (typeof part === 'string') return escapeHtml(part)
  if (typeof part === 'number') return String(part)
  return 'markup' in part ? part.markup : part.map(partText).join('')
}

/** Template tag that escapes values, joins lists and drops null and false. */
export function markup(texts: TemplateStringsArray, ...values: readonly MarkupPart[]): Markup {
  return trustMarkup(texts.reduce((all, text, i) => all + partText(values[i - 1]) + text))
}

/** Content that a reader opens; it is open on paper. */
export const folded = (title: string, content: Markup): Markup =>
  markup`<details class="fold"><summary>${title}</summary>${content}</details>`
