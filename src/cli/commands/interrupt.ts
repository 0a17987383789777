const signalExitCodes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const

let sharedSignal: AbortSignal | undefined

/**
 * Returns a signal that the first SIGINT (Ctrl-C), SIGTERM or SIGHUP (a closed terminal) aborts, and sets the exit code. All
 * evaluations of the process share it. A second one ends the process at once.
 */
export function interruptSignal(): AbortSignal {
  if (sharedSignal) return sharedSignal
  const controller = new AbortController()
  const { signal } = controller
  for (const [name, code] of Object.entries(signalExitCodes)) {
    process.on(name, () => {
      if (signal.aborted) process.exit(code)
      process.exitCode = code
      process.stderr.write(
        '\nstopping after the running batch; what is done is kept, the same command goes on from there\n',
      )
      controller.abort()
    })
  }
  return (sharedSignal = signal)
}
