// Sorting, searching and choosing the columns of a table that htmlTable wrote; without it every table reads as it stands.

/** A cell's exact value where its text is rounded; nothing where it is unknown. */
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

/** Rows of data, without the headings of groups. */
const rowsOf = body => [...body.rows].filter(row => row.className !== 'group')

function sort(table, { column, isRising }) {
  for (const [i, header] of [...table.tHead.rows[0].cells].entries()) {
    if (i === column) header.setAttribute('aria-sort', isRising ? 'ascending' : 'descending')
    else header.removeAttribute('aria-sort')
  }
  const order = isRising ? 1 : -1
  const isEmpty = row => valueOf(row, column) === ''
  for (const body of table.tBodies)
    body.append(
      ...rowsOf(body).sort(
        (a, b) =>
          isEmpty(a) - isEmpty(b) || order * compare(valueOf(a, column), valueOf(b, column)),
      ),
    )
}

function search(table, text) {
  const words = text.toLowerCase().split(/\s+/)
  let shown = 0
  for (const body of table.tBodies) {
    let inGroup = 0
    for (const row of rowsOf(body)) {
      row.hidden = !words.every(word => row.textContent.toLowerCase().includes(word))
      if (!row.hidden) inGroup++
    }
    body.hidden = inGroup === 0
    shown += inGroup
  }
  return shown
}

function showColumn(table, column, isShown) {
  for (const row of table.rows) {
    if (row.className !== 'group') row.cells[column].hidden = !isShown
  }
}

/** Fewer rows are read without a search, fewer columns without a choice. */
const [searchedRows, chosenColumns] = [8, 6]

function addSearch(table, tools, state) {
  const rows = [...table.tBodies].flatMap(rowsOf).length
  if (rows < searchedRows) return
  const label = document.createElement('label')
  const input = document.createElement('input')
  const found = document.createElement('span')
  input.type = 'search'
  input.value = state.search ?? ''
  found.setAttribute('role', 'status')
  label.append('Search ', input)
  const apply = () => {
    state.search = input.value
    found.textContent = `${search(table, input.value)} of ${rows} rows`
  }
  input.addEventListener('input', apply)
  if (input.value !== '') apply()
  tools.prepend(label, found)
}

function addColumnChoice(table, tools, state) {
  const headers = [...table.tHead.rows[0].cells]
  if (headers.length < chosenColumns && !headers.some(header => 'hidden' in header.dataset)) return
  const details = document.createElement('details')
  const summary = document.createElement('summary')
  const list = document.createElement('div')
  summary.textContent = 'Columns'
  details.className = 'columns'
  details.append(summary, list)
  state.hidden ??= new Set(
    headers.filter(header => 'hidden' in header.dataset).map(header => header.textContent),
  )
  for (const [column, header] of headers.entries()) {
    if (column === 0) continue
    const name = header.textContent
    const label = document.createElement('label')
    const box = document.createElement('input')
    box.type = 'checkbox'
    box.checked = !state.hidden.has(name)
    if (!box.checked) showColumn(table, column, false)
    box.addEventListener('change', () => {
      if (box.checked) state.hidden.delete(name)
      else state.hidden.add(name)
      showColumn(table, column, box.checked)
    })
    label.append(box, ` ${name}`)
    list.append(label)
  }
  tools.append(details)
}

/** Says beside a table that it scrolls, while it does. */
function markScrolling(table) {
  const frame = table.closest('.scroll')
  const note = document.createElement('span')
  note.className = 'scrolls'
  note.hidden = true
  note.textContent = 'scrolls sideways →'
  table.closest('.table').querySelector('.tools').append(note)
  new ResizeObserver(() => {
    note.hidden = frame.scrollWidth <= frame.clientWidth + 1
  }).observe(frame)
}

/** Adds the tools to a table; `state` keeps what a reader chose while the table is written anew. */
export function enhanceTable(table, state = {}) {
  const tools = table.closest('.table').querySelector('.tools')
  addSearch(table, tools, state)
  addColumnChoice(table, tools, state)
  markScrolling(table)
  for (const [column, header] of [...table.tHead.rows[0].cells].entries()) {
    const button = document.createElement('button')
    button.type = 'button'
    button.textContent = header.textContent
    button.addEventListener('click', () => {
      state.sort = { column, isRising: header.getAttribute('aria-sort') !== 'ascending' }
      sort(table, state.sort)
    })
    header.replaceChildren(button)
  }
  if (state.sort) sort(table, state.sort)
}
