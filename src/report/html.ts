import { type Run } from '../run.ts'
import { writeFile } from 'node:fs/promises'
export async function writeReport(run: Run, file: string): Promise<void> {
  await writeFile(file, JSON.stringify(run.accuracy()))
}
