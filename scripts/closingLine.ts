import type { Reporter, TestModule } from 'vitest/node'

/** Ends the test output with one plain line, `N passed, N failed, N skipped`, or gives it to `scripts/test.mjs`, which does. */
export default class ClosingLine implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[]): void {
    const count = { passed: 0, failed: errors.length, skipped: 0 }
    for (const module of modules) {
      count.failed += module.errors().length
      for (const suite of module.children.allSuites()) count.failed += suite.errors().length
      for (const test of module.children.allTests()) {
        const { state } = test.result()
        if (state === 'passed') count.passed += 1
        else if (state === 'failed') count.failed += 1
        else count.skipped += 1
      }
    }
    const line = `${count.passed} passed, ${count.failed} failed, ${count.skipped} skipped`
    if (process.send) process.send(line)
    else process.on('exit', () => process.stdout.write(`\n${line}\n`))
  }
}
