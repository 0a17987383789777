// Sorting, searching and choosing the columns of a table that htmlTable wrote; without it every table reads as it stands.

/** A cell's exact value where its text is rounded; nothing where it is unknown. */
const valueOf = (row, column) => {
  const text = row.cells[column].textContent.trim()
  return text === '–' ? '' : row.cells[column].dataset.v || text
}

const { compare: compareTexts } = new Intl.Collator('en', { numeric: true })

/** Numbers by size, texts by the alphabet, and what is unknown last in both orders. */
export function compareCells(a, b, order) {
  if (a === '' || b === '') return (a === '') - (b === '')
  const difference = a - b
  return order * (Number.isNaN(difference) ? compareTexts(a, b) : difference)
}

/** Rows of data, without the headings of groups. */
const rowsOf = body => [...body.rows].filter(row => row.className !== 'group')

function markSorted(table, { column, isRising }) {
  for (const [i, header] of [...table.tHead.rows[0].cells].entries()) {
    if (i === column) header.setAttribute('aria-sort', isRising ? 'ascending' : 'descending')
    else header.removeAttribute('aria-sort')
  }
}

function sortRows(table, { column, isRising }) {
  const order = isRising ? 1 : -1
  for (const body of table.tBodies) {
    const rows = rowsOf(body).map(row => ({ row, value: valueOf(row, column) }))
    rows.sort((a, b) => compareCells(a.value, b.value, order))
    body.append(...rows.map(({ row }) => row))
  }
}

/** Shows the rows that have all words of the search, at most `most` of them; `counts` tells of rows that are not in the table. */
function showRows(table, { search = '', most = Infinity, counts }) {
  const words = search.toLowerCase().split(/\s+/)
  let [found, all] = [0, 0]
  for (const body of table.tBodies) {
    const rows = rowsOf(body)
    for (const row of rows) {
      const text = row.textContent.toLowerCase()
      const isFound = words.every(word => text.includes(word))
      if (isFound) found++
      row.hidden = !isFound || found > most
    }
    body.hidden = rows.every(row => row.hidden)
    all += rows.length
  }
  if (counts) ({ found, all } = counts)
  const frame = table.closest('.table')
  frame.querySelector('.more').hidden = found <= most
  frame.querySelector('[role=status]').textContent = search === '' ? '' : `${found} of ${all} rows`
  frame.querySelector('.search').hidden = all < searchedRows
}

function showColumns(table, hidden) {
  const isHidden = [...table.tHead.rows[0].cells].map(header => hidden.has(header.textContent))
  for (const row of table.rows) {
    if (row.className === 'group') continue
    for (const [column, cell] of [...row.cells].entries()) cell.hidden = isHidden[column]
  }
}

/** Sorts and searches the rows of an enhanced table and hides columns, as `state` says. */
export function updateTable(table, state) {
  if (state.hidden?.size > 0) showColumns(table, state.hidden)
  if (state.sort) {
    markSorted(table, state.sort)
    if (!state.fill) sortRows(table, state.sort)
  }
  showRows(table, state)
}

/** Shows a table as a reader has just chosen it. */
function changeTable(table, state) {
  state.fill?.()
  updateTable(table, state)
}

/** Fewer rows are read without a search, fewer columns without a choice. */
const [searchedRows, chosenColumns] = [8, 6]

function addSearch(table, tools, state) {
  const label = document.createElement('label')
  const input = document.createElement('input')
  const count = document.createElement('span')
  label.className = 'search'
  input.type = 'search'
  input.value = state.search ?? ''
  count.setAttribute('role', 'status')
  label.append('Search ', input)
  input.addEventListener('input', () => {
    state.search = input.value
    changeTable(table, state)
  })
  tools.prepend(label, count)
}

/** Adds the button below the rows that shows those that are left out. */
function addMore(table, state) {
  const more = document.createElement('button')
  more.type = 'button'
  more.className = 'more'
  more.textContent = 'Show all rows'
  more.addEventListener('click', () => {
    state.most = Infinity
    changeTable(table, state)
  })
  table.after(more)
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
    box.addEventListener('change', () => {
      if (box.checked) state.hidden.delete(name)
      else state.hidden.add(name)
      showColumns(table, state.hidden)
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
  addMore(table, state)
  addSearch(table, tools, state)
  addColumnChoice(table, tools, state)
  markScrolling(table)
  for (const [column, header] of [...table.tHead.rows[0].cells].entries()) {
    const button = document.createElement('button')
    button.type = 'button'
    button.append(...header.childNodes)
    button.addEventListener('click', () => {
      state.sort = { column, isRising: header.getAttribute('aria-sort') !== 'ascending' }
      changeTable(table, state)
    })
    header.append(button)
  }
  updateTable(table, state)
}
