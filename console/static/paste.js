// What spreadsheets put on the clipboard, read into cells. Without a page it can be tested by itself.
(() => {
  'use strict'

  // table reads tab-separated text: cells in quotes may hold tabs, line ends and doubled quotes. The line end after the last
  // row, which spreadsheets add, makes no row.
  const table = (text) => {
    const rows = [[]]
    let cell = '', quoted = false, fresh = true
    const end = () => { rows[rows.length - 1].push(cell); cell = ''; fresh = true }
    for (let i = 0; i < text.length; i++) {
      const c = text[i]
      if (quoted) {
        if (c !== '"') cell += c
        else if (text[i + 1] === '"') { cell += '"'; i++ } else quoted = false
      } else if (c === '"' && fresh) {
        quoted = true
        fresh = false
      } else if (c === '\t') {
        end()
      } else if (c === '\n' || c === '\r') {
        if (c === '\r' && text[i + 1] === '\n') i++
        end()
        rows.push([])
      } else {
        cell += c
        fresh = false
      }
    }
    end()
    if (rows[rows.length - 1].join('') === '') rows.pop()
    return rows
  }

  // isHead says whether the first pasted row repeats the titles of the columns.
  const isHead = (row, columns) => row.length > 0 && row.every((cell, i) => columns[i] && cell.trim().toLowerCase() === columns[i].title.toLowerCase())

  // value turns a cell into what a column holds; undefined says that it is none of the column's values.
  const value = (column, text, yes) => {
    const said = text.trim()
    switch (column.kind) {
      case 'number':
        return said === '' ? 0 : /^\d{1,9}$/.test(said) ? Number(said) : undefined
      case 'tick':
        return yes.some((y) => y.toLowerCase() === said.toLowerCase())
      case 'list': {
        const same = (a) => a.toLowerCase() === said.toLowerCase()
        const found = column.values.find((v) => same(v.value) || same(v.text)) || (said === '' ? column.values.find((v) => /^[0-]*$/.test(v.value)) : undefined)
        return found ? found.value : column.free && said ? said : undefined
      }
    }
    return said
  }

  globalThis.shuqiaoPaste = { table, isHead, value }
})()
