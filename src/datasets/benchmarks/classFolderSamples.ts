import { basename, extname } from 'node:path'
import type { Sample, Problem } from '../dataset.ts'
import type { ArchiveMember } from '../../lib/archive/member.ts'

const imageEnding = /^\.(jpe?g|jpe|jfif|png|webp|gif|bmp|tiff?|avif|hei[cf]|p[bgnp]m|jp2|j2k|jxl)$/i

/** Tells whether a file name ends as an image's does, in any case, also for formats that cannot be decoded. */
export const isImageName = (name: string): boolean =>
  imageEnding.test(extname(name)) && !isHiddenImageName(basename(name))

/** Tells whether a name is an image's with a leading dot, which is passed over as other hidden files are, but counted. */
export const isHiddenImageName = (name: string): boolean =>
  /^\.[^._]/.test(name) && imageEnding.test(extname(name))

/** Returns the name of the folder that a file lies in. */
export const parentName = (path: string): string => path.split('/').at(-2) ?? ''

/** Makes a sample of an entry; its id is its path, which a folder and an archive of it share. */
export const toSample = (
  { path, bytes, source }: ArchiveMember,
  labels: readonly number[],
  label: string,
): Sample => ({ id: path, image: source, labels, label, groups: {}, bytes })

/** Files that people and programs lay beside images. */
const companionFile =
  /^(readme|licen[cs]e|copying|thumbs\.db$|desktop\.ini$)|\.(txt|md|json|jsonl|xml|csv|tsv|html?|ya?ml|npy|npz|mat|pdf|log|sh|py)$/i

/**
 * Returns the problem of a file among images that is hidden, or whose name does not end as an image's; undefined for a usual
 * companion.
 */
export function unknownFileProblem({ path }: ArchiveMember): Problem | undefined {
  const name = basename(path)
  if (isHiddenImageName(name))
    return { id: path, code: 'hidden-file', message: `hidden by the dot before its name: ${path}` }
  return isImageName(path) || companionFile.test(name)
    ? undefined
    : { id: path, code: 'unknown-ending', message: `not known as an image by its ending: ${path}` }
}

/**
 * Makes samples of `<class>/<file>`. `accepted` returns the class indices of a folder's name; images of a folder for which
 * it returns undefined become problems, as do files whose ending is not known.
 */
export function classFolderSamples(
  entries: readonly ArchiveMember[],
  accepted: (folder: string) => readonly number[] | undefined,
): { samples: Sample[]; problems: Problem[] } {
  const items: Sample[] = []
  const problems: Problem[] = []
  for (const entry of entries) {
    const unknown = unknownFileProblem(entry)
    if (unknown && entry.path.includes('/')) problems.push(unknown)
    if (!isImageName(entry.path)) continue
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
