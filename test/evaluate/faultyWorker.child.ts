/** Loaded before a worker by NODE_OPTIONS: its GEOGAP_TEST_AT-th file operation fails with GEOGAP_TEST_CODE, and GEOGAP_TEST_MARK is written then. */
import { writeFileSync } from 'node:fs'
import { failOnce } from '../helpers/faults.ts'

const { GEOGAP_TEST_AT: at, GEOGAP_TEST_CODE: code, GEOGAP_TEST_MARK: mark } = process.env
if (process.argv[1]?.includes('workers/worker'))
  await failOnce(Number(at), code!, () => writeFileSync(mark!, ''))
