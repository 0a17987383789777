// Sorting and searching of the tables; without it every table reads as it stands.
for (const table of document.querySelectorAll('table')) {
  const body = table.tBodies[0]
  const rows = [...body.rows]
  // A cell's exact value where its text is rounded; nothing where it is unknown.
  const valueOf = (row, column) => {
    const text = row.cells[column].textContent.trim()
    return text === '–' ? '' : row.cells[column].dataset.v || text
  }

  const compare = (a, b) => {
    const [x, y] = [Number(a), Number(b)]
    return a !== '' && b !== '' && !Number.isNaN(x) && !Number.isNaN(y)
      ? x - y
      : a.localeCompare(b, 'en', { numeric: true })
  }

  const sortBy = (header, column) => {
    const rising = header.getAttribute('aria-sort') !== 'ascending'
    for (const other of table.tHead.rows[0].cells) other.removeAttribute('aria-sort')
    header.setAttribute('aria-sort', rising ? 'ascending' : 'descending')
    const order = rising ? 1 : -1
    const empty = row => valueOf(row, column) === ''
    const sorted = [...rows].sort(
      (a, b) => empty(a) - empty(b) || order * compare(valueOf(a, column), valueOf(b, column)),
    )
    body.append(...sorted)
  }

  for (const [column, header] of [...table.tHead.rows[0].cells].entries()) {
    const button = document.createElement('button')
    button.type = 'button'
    button.textContent = header.textContent
    button.addEventListener('click', () => sortBy(header, column))
    header.replaceChildren(button)
  }

  const tools = table.closest('.table').querySelector('.tools')
  if (rows.length < 8) continue
  const label = document.createElement('label')
  const input = document.createElement('input')
  const found = document.createElement('span')
  input.type = 'search'
  found.setAttribute('role', 'status')
  label.append('Search ', input)
  input.addEventListener('input', () => {
    const words = input.value.toLowerCase().split(/\s+/)
    let shown = 0
    for (const row of rows) {
      const text = row.textContent.toLowerCase()
      row.hidden = !words.every(word => text.includes(word))
      if (!row.hidden) shown++
    }
    found.textContent = `${shown} of ${rows.length} rows`
  })
  tools.prepend(label, found)
}
