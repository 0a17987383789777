// An expression that a page evaluates: which of its visible texts cover each other, are cut, or leave the page on the right.
;(() => {
  /** What scrolling and clipping ancestors leave of a box. */
  const clipped = (box, element) => {
    const result = { ...box }
    for (let above = element; above && above !== document.body; above = above.parentElement) {
      if (above instanceof SVGElement || getComputedStyle(above).overflow === 'visible') continue
      const frame = above.getBoundingClientRect()
      result.left = Math.max(result.left, frame.left)
      result.right = Math.min(result.right, frame.right)
      result.top = Math.max(result.top, frame.top)
      result.bottom = Math.min(result.bottom, frame.bottom)
    }
    return result
  }

  /** Whether an ancestor that does not scroll hides a side of a line. */
  const isCut = ({ left, right }, element) => {
    for (let above = element; above && above !== document.body; above = above.parentElement) {
      if (above instanceof SVGElement) continue
      const overflow = getComputedStyle(above).overflowX
      if (overflow === 'auto' || overflow === 'scroll') return false
      if (overflow === 'visible') continue
      const frame = above.getBoundingClientRect()
      if (left < frame.left - 1 || right > frame.right + 1) return true
    }
    return false
  }

  /** A line of text without the empty space that a font keeps above and below its letters. */
  const lettersOf = (text, { left, right, top, bottom, height }) => ({
    ...{
      text,
      left: left + 0.5,
      right: right - 0.5,
      top: top + 0.2 * height,
      bottom: bottom - 0.2 * height,
    },
  })

  const boxes = []
  const cut = []
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  while (texts.nextNode()) {
    const node = texts.currentNode
    const element = node.parentElement
    const text = node.textContent.trim()
    if (
      text === '' ||
      !element.checkVisibility({ visibilityProperty: true, opacityProperty: true })
    )
      continue
    const range = document.createRange()
    range.selectNodeContents(node)
    for (const line of range.getClientRects()) {
      const letters = lettersOf(text, line)
      if (isCut(letters, element)) cut.push(`cut: ${text}`)
      boxes.push(clipped(letters, element))
    }
  }
  const width = document.documentElement.clientWidth
  const seen = boxes
    .filter(({ left, right, top, bottom }) => right > left && bottom > top && right > 0)
    .sort((a, b) => a.top - b.top)
  const found = seen
    .filter(({ right }) => right > width + 1)
    .map(({ text }) => `beyond the edge: ${text}`)
  if (document.documentElement.scrollWidth > width + 1) found.push('the page scrolls sideways')
  found.push(...cut)
  for (const [i, a] of seen.entries()) {
    for (let j = i + 1; j < seen.length && seen[j].top < a.bottom; j++) {
      const b = seen[j]
      if (a.left < b.right && b.left < a.right) found.push(`${a.text} | ${b.text}`)
    }
  }
  return found
})()
