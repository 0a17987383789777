for (const table of document.querySelectorAll('table')) enhanceTable(table)

// What is folded is printed open.
addEventListener('beforeprint', () => {
  for (const part of document.querySelectorAll('details.fold')) part.open = true
})
