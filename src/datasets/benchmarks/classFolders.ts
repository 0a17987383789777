import { extname } from 'node:path'
import type { Sample, Problem } from '../dataset.ts'
import type { ArchiveMember } from '../../lib/archive/member.ts'

const imageEnding = /^\.(jpe?g|jpe|jfif|png|webp|gif|bmp|tiff?|avif|hei[cf]|ppm)$/i

/** Whether a file name ends as an image does, in any case; one of a kind that cannot be decoded is an error row, not absent. */
export const isImageName = (name: string): boolean => imageEnding.test(extname(name))

/** The folder that a file lies in, without what is above it. */
export const parentName = (path: string): string => path.split('/').at(-2) ?? ''

/** An entry as an item; its id is its path, so the same in a folder and in any archive of it. */
export const toSample = (
  { path, bytes, source }: ArchiveMember,
  labels: readonly number[],
  label: string,
  groups: Sample['groups'] = {},
): Sample => ({ id: path, image: source, labels, label, groups, bytes })

/**
 * Items of `<class>/<file>`: `accepted` gives the class indices of a folder's name, undefined for one it does not know,
 * whose files become problems. Files that are not images are left alone.
 */
export function classFolderSamples(
  entries: readonly ArchiveMember[],
  accepted: (folder: string) => readonly number[] | undefined,
): { samples: Sample[]; problems: Problem[] } {
  const items: Sample[] = []
  const problems: Problem[] = []
  for (const entry of entries.filter(({ path }) => isImageName(path))) {
    const folder = parentName(entry.path)
    const labels = accepted(folder)
    if (labels) items.push(toSample(entry, labels, folder))
    else problems.push(unknownClassProblem(entry.path, `folder ${folder}`))
  }
  return { samples: items, problems }
}

export const unknownClassProblem = (id: string, what: string): Problem => ({
  id,
  code: 'unknown-class',
  message: `unknown class: ${what}`,
})
