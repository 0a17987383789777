import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { readTable, type Table } from './manifest.ts'
import { readEntry, type Entry } from './tree.ts'

/** The table of an entry; a member of an archive is laid in a temporary file for the time of reading. */
export async function readTableEntry(entry: Entry): Promise<Table> {
  if (entry.source.kind === 'file') return readTable(entry.source.file)
  const folder = await mkdtemp(join(tmpdir(), 'geogap-table-'))
  try {
    const file = join(folder, basename(entry.path))
    await writeFile(file, await readEntry(entry))
    return await readTable(file)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** A list as Python prints it (`['tv', "baby's bed"]`, `[851]`), as MLCommons' CSV files write their lists. */
export function pythonList(text: string): string[] {
  const tokens = text.matchAll(/'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)"|(-?\d+)/g)
  return [...tokens].map(([, single, double, number]) => (single ?? double ?? number!).replace(/\\(.)/g, '$1'))
}
