// Runs in a page of the site: what is wrong with its layout, and how many pixels high it is.
;(() => {
  const root = document.documentElement
  const cut = [...document.querySelectorAll('main *')].find(
    element =>
      element.getBoundingClientRect().right > root.clientWidth + 1 &&
      !element.closest('pre, table'),
  )
  const blocks = [...document.querySelectorAll('main div[class*="language-"]')]
  const pictures = [...document.querySelectorAll('img')]
  const faults = [
    ...(root.scrollWidth > root.clientWidth
      ? [`scrolls sideways: ${cut?.outerHTML.slice(0, 120) ?? ''}`]
      : []),
    ...blocks
      .filter(block => !block.querySelector('button.copy'))
      .map(() => 'a code block has no button that copies it'),
    ...pictures
      .filter(picture => picture.naturalWidth === 0)
      .map(picture => `a picture is missing: ${picture.outerHTML.slice(0, 120)}`),
  ]
  return { faults, height: document.querySelector('main')?.scrollHeight ?? root.scrollHeight }
})()
