/** Loaded before a program by NODE_OPTIONS: this machine seems to have GEOGAP_TEST_CORES cores. */
import { syncBuiltinESMExports } from 'node:module'
import os from 'node:os'

os.availableParallelism = () => Number(process.env.GEOGAP_TEST_CORES)
syncBuiltinESMExports()
