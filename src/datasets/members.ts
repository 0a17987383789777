import { GeogapError } from '../errors.ts'
import type { Entry } from './tree.ts'

/** An archive that is not read because of what a member is or claims; the whole archive is refused. */
export const refused = (file: string, why: string): GeogapError =>
  new GeogapError('data', 'bad-archive', `archive refused: ${file}: ${why}`)

/** A member's path in plain form; one that could point outside the archive, or hide, is refused. */
export function memberPath(file: string, name: string): string {
  const path = name.replace(/^(\.\/)+/, '').replace(/\/+$/, '')
  const tricky = path.includes('\\') || path.includes('\0') || path.startsWith('/') || /^[a-z]:/i.test(path)
  if (tricky || path.split('/').some(part => part === '..' || part === '.' || (part === '' && path !== ''))) {
    throw refused(file, `unsafe member path ${JSON.stringify(name)}`)
  }
  return path
}

/** Members in archive order; one path given twice is refused, for it would depend on the reader which one counts. */
export function refuseDuplicates(file: string, members: readonly Entry[]): readonly Entry[] {
  const seen = new Set<string>()
  for (const { path } of members) {
    if (seen.has(path)) throw refused(file, `member given twice: ${path}`)
    seen.add(path)
  }
  return members
}
