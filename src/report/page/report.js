for (const table of document.querySelectorAll('table')) enhanceTable(table)
