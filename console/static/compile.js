// The form of an entry: what depends on a choice is shown with it, problems stand at their fields while somebody types, and the
// items are a grid. The server draws all of it, and says what is wrong.
(() => {
  'use strict'
  const form = document.querySelector('form[data-draft]')
  if (!form) return
  const store = form.elements.items
  // What is stored need not be a list: the field comes back as it was sent.
  const stored = () => {
    try {
      const list = JSON.parse(store.value || '[]')
      return Array.isArray(list) ? list.filter((i) => i && typeof i === 'object') : []
    } catch {
      return []
    }
  }

  // data-when lists choices, "field=value" each: the part is there while one of them holds. What is not there is not sent, and
  // comes back as it was. items=withheld holds while an item is withheld.
  const holds = (one) => {
    const [name, value] = one.split('=')
    if (name === 'items') return stored().some((i) => i.share_type === value)
    const fields = form.querySelectorAll(`[name="${CSS.escape(name)}"]`)
    const now = [...fields].find((f) => f.tagName === 'SELECT' || f.checked)
    return (now ? now.value : '') === value
  }
  const conditional = [...form.querySelectorAll('[data-when]')]
  const showParts = () => {
    for (const part of conditional) {
      const on = part.dataset.when.split(' ').some(holds)
      part.hidden = !on
      if (part.tagName === 'FIELDSET') part.disabled = !on
      else for (const f of part.querySelectorAll('input, textarea, select')) f.disabled = !on
    }
  }
  form.addEventListener('change', showParts)
  showParts()

  // Sentences at the fields, by the names of the fields; a name that ends in * stands for all below it.
  let grid = null
  const showProblems = () => {
    const box = document.getElementById('findings')
    if (!box) return
    const problems = JSON.parse(box.dataset.problems || '{}')
    for (const place of form.querySelectorAll('[data-wrong]')) {
      const name = place.dataset.wrong
      const found = name.endsWith('*')
        ? Object.keys(problems).find((p) => p === name.slice(0, -1) || p.startsWith(name.slice(0, -1) + '['))
        : Object.keys(problems).find((p) => p === name)
      place.textContent = found ? problems[found] : ''
      place.hidden = !found
    }
    if (grid) grid.problems(problems)
  }
  let opened = false
  document.addEventListener('htmx:beforeSwap', () => { opened = document.querySelector('#findings details')?.open })
  document.addEventListener('htmx:afterSettle', () => {
    const details = document.querySelector('#findings details')
    if (details && opened) details.open = true
    showProblems()
  })

  // A problem leads to its field, also into a cell.
  document.addEventListener('click', (e) => {
    const link = e.target.closest('.findings a')
    if (!link) return
    e.preventDefault()
    if (link.dataset.cell && grid) {
      document.getElementById('items').scrollIntoView({ block: 'start' })
      const [row, field] = link.dataset.cell.split('.')
      grid.go(Number(row), field)
      return
    }
    const target = document.getElementById(link.getAttribute('href').slice(1))
    if (!target) return
    target.scrollIntoView({ block: 'center' })
    const field = target.matches('input, textarea, select') ? target : target.querySelector('input, textarea, select') || target
    field.focus({ preventScroll: true })
  })

  // data-digest-of computes the digest of a chosen file; the file stays here. Browsers do it on safe connections only.
  for (const label of form.querySelectorAll('[data-digest-of]')) {
    if (!globalThis.crypto?.subtle) continue
    label.hidden = false
    label.querySelector('input').addEventListener('change', async (e) => {
      const file = e.target.files[0]
      if (!file) return
      const sum = await crypto.subtle.digest('SHA-256', await file.arrayBuffer())
      const field = document.getElementById(label.dataset.digestOf)
      field.value = [...new Uint8Array(sum)].map((b) => b.toString(16).padStart(2, '0')).join('')
      field.dispatchEvent(new Event('input', { bubbles: true }))
      e.target.value = ''
    })
  }

  // The grid of items. Small screens keep the plain table.
  const box = document.getElementById('item-grid')
  if (box && window.Tabulator && window.matchMedia('(min-width: 701px)').matches) {
    const spec = JSON.parse(box.dataset.grid)
    const byField = Object.fromEntries(spec.columns.map((c) => [c.field, c]))
    const paste = globalThis.shuqiaoPaste
    const said = document.getElementById('grid-said')
    const tell = (key, n) => { said.textContent = spec.say[key].replace('{n}', n) }
    let wrongs = {}, current = null
    const past = []

    box.hidden = false
    document.getElementById('grid-tools').hidden = false
    document.getElementById('item-plain').hidden = true

    const textOf = (column, value) => {
      if (column.kind !== 'list') return value === 0 || value === null || value === undefined ? '' : String(value)
      const known = column.values.find((v) => v.value === value)
      return known ? known.text : String(value ?? '')
    }
    // draw writes a cell, with what is wrong below its value.
    const draw = (cell) => {
      const column = byField[cell.getField()]
      const out = document.createElement('div')
      const value = document.createElement('div')
      if (column.kind === 'tick') {
        value.textContent = cell.getValue() ? '\u2713' : ''
        value.className = 'tick'
      } else value.textContent = textOf(column, cell.getValue())
      if (column.mono) value.className = 'mono'
      out.append(value)
      const wrong = wrongs[`${cell.getRow().getPosition() - 1}.${column.field}`]
      cell.getElement().classList.toggle('cell-wrong', Boolean(wrong))
      cell.getElement().title = wrong || (column.kind === 'tick' ? '' : value.textContent)
      if (wrong) {
        const below = document.createElement('div')
        below.className = 'wrong'
        below.textContent = wrong
        out.append(below)
      }
      return out
    }
    const editors = {
      text: (c) => ({ editor: 'input', editorParams: { selectContents: true, elementAttributes: { 'aria-label': c.title } } }),
      number: (c) => ({ editor: 'number', editorParams: { min: 0, max: 10000000, selectContents: true, elementAttributes: { 'aria-label': c.title } }, mutatorEdit: (v) => Number(v) || 0 }),
      tick: (c) => ({ hozAlign: 'center', editor: tick, editorParams: { title: c.title } }),
      list: (c) => ({
        editor: 'list',
        editorParams: {
          values: c.values.map((v) => ({ value: v.value, label: v.text })), elementAttributes: { 'aria-label': c.title },
          ...(c.free || c.values.length > 24 ? { autocomplete: true, listOnEmpty: true, freetext: Boolean(c.free), allowEmpty: true, emptyValue: c.values.find((v) => /^[0-]*$/.test(v.value))?.value ?? '' } : {}),
        },
      }),
    }
    // tick turns a click into the other value at once; by keys it is a box that the space bar ticks.
    let byMouse = false
    box.addEventListener('mousedown', () => { byMouse = true }, true)
    box.addEventListener('keydown', () => { byMouse = false }, true)
    const tick = (cell, onRendered, success, cancel, params) => {
      const input = document.createElement('input')
      input.type = 'checkbox'
      input.className = 'form-check-input'
      input.setAttribute('aria-label', params.title)
      input.checked = Boolean(cell.getValue()) !== byMouse
      onRendered(() => { if (byMouse) success(input.checked); else input.focus() })
      input.addEventListener('blur', () => success(input.checked))
      input.addEventListener('keydown', (e) => { if (e.key === 'Escape') cancel() })
      return input
    }
    const rows = () => table.getRows()
    const data = () => rows().map((r) => r.getData())
    const remember = () => {
      past.push(store.value)
      if (past.length > 50) past.shift()
    }
    // keep writes the items into the form, which sends and keeps them.
    const keep = () => {
      const now = JSON.stringify(data())
      if (now === store.value) return
      remember()
      write(now)
    }
    const write = (text) => {
      store.value = text
      document.getElementById('item-count').textContent = spec.say.count.replace('{n}', rows().length)
      showParts()
      store.dispatchEvent(new Event('input', { bubbles: true }))
    }
    const table = new window.Tabulator(box, {
      data: stored(),
      maxHeight: '34rem',
      // All rows are there to be written into and searched; only very long lists are drawn as they scroll.
      renderVertical: stored().length > 300 ? 'virtual' : 'basic',
      minHeight: '11rem',
      layout: 'fitDataFill',
      movableRows: true,
      placeholder: spec.say.empty,
      columnDefaults: { headerSort: false, resizable: 'header', variableHeight: true },
      rowHeader: { formatter: 'rownum', variableHeight: true, headerSort: false, resizable: false, frozen: true, width: 44, hozAlign: 'center', rowHandle: true, title: '#' },
      columns: spec.columns.map((c) => ({ field: c.field, title: c.title, width: c.width, frozen: c.frozen, formatter: draw, ...editors[c.kind](c) })),
    })
    const on = (name, work) => table.on(name, work)
    const choose = (cell) => {
      current = cell
      for (const old of box.querySelectorAll('.here')) old.classList.remove('here')
      cell.getRow().getElement().classList.add('here')
    }
    on('cellClick', (e, cell) => {
      if (!byField[cell.getField()]) return
      choose(cell)
    })
    on('cellEditing', choose)
    on('cellEdited', keep)
    on('rowMoved', keep)
    on('tableBuilt', showProblems)
    // Its cells take the focus; an empty grid takes it itself, so that keys can scroll it.
    on('renderComplete', () => {
      const holder = box.querySelector('.tabulator-tableholder')
      if (rows().length) holder.removeAttribute('tabindex')
      else holder.tabIndex = 0
    })

    const at = () => (current ? rows().findIndex((r) => r === current.getRow() || r.getElement() === current.getRow().getElement()) : -1)
    const fresh = () => structuredClone(spec.new)
    // A row that was just made is drawn once more when the browser has laid it out; its editor opens after that.
    const edit = async (row, field) => {
      if (!row) return
      await new Promise((done) => setTimeout(done, 30))
      await table.scrollToRow(row, 'nearest', false).catch(() => {})
      row.getCell(field)?.edit(true)
    }
    // stop ends the editing of a cell without taking what was typed: its row is about to be drawn anew.
    const stop = () => {
      if (current?.getElement()?.classList?.contains('tabulator-editing')) current.cancelEdit()
    }
    const replace = async (list, row, field) => {
      stop()
      current = null
      const holder = box.querySelector('.tabulator-tableholder')
      const [left, top] = [holder.scrollLeft, holder.scrollTop]
      await table.setData(list)
      const target = rows()[Math.min(row, rows().length - 1)]
      if (target) choose(target.getCell(field || 'name'))
      holder.scrollTo(left, top)
    }
    const acts = {
      add: async () => { const row = await table.addRow(fresh(), false); keep(); edit(row, 'name') },
      insert: async () => {
        const i = at()
        const row = i < 0 ? await table.addRow(fresh(), false) : await table.addRow(fresh(), true, rows()[i])
        keep()
        edit(row, 'name')
      },
      copy: async () => {
        const i = at()
        if (i < 0) return
        const row = await table.addRow({ ...rows()[i].getData(), no: 0, id: spec.new.id, is_key: false, identifier: '' }, false, rows()[i])
        keep()
        edit(row, 'name')
      },
      remove: async () => {
        const i = at()
        if (i < 0) return
        const list = data()
        list.splice(i, 1)
        await replace(list, i)
        keep()
        tell('removed', i + 1)
      },
      up: () => move(-1),
      down: () => move(1),
      undo: async () => {
        const before = past.pop()
        if (before === undefined) return
        const i = at()
        await replace(JSON.parse(before), Math.max(i, 0))
        write(before)
      },
    }
    const move = async (by) => {
      const i = at(), list = data(), to = i + by
      if (i < 0 || to < 0 || to >= list.length) return
      list.splice(to, 0, ...list.splice(i, 1))
      await replace(list, to, current?.getField())
      keep()
    }
    document.getElementById('grid-tools').addEventListener('click', (e) => {
      const button = e.target.closest('[data-grid-act]')
      if (button) acts[button.dataset.gridAct]()
    })
    box.addEventListener('keydown', (e) => {
      const typing = e.target.matches('input, textarea')
      if ((e.ctrlKey || e.metaKey) && e.key.toLowerCase() === 'z' && !typing) { e.preventDefault(); acts.undo() }
      if (e.key === 'Enter' && typing) e.preventDefault() // Enter ends the cell, not the form.
      if (e.altKey && (e.key === 'ArrowUp' || e.key === 'ArrowDown')) { e.preventDefault(); move(e.key === 'ArrowUp' ? -1 : 1) }
    })

    // A block of cells fills rows from the current cell on; rows that are missing are added.
    document.addEventListener('paste', async (e) => {
      const text = e.clipboardData?.getData('text/plain') || ''
      const inside = box.contains(e.target) || (current && e.target === document.body)
      if (!inside || !/[\t\n]/.test(text.replace(/[\r\n]+$/, ''))) return
      e.preventDefault()
      current?.cancelEdit() // Else what its editor held would go over what is pasted.
      const cells = paste.table(text)
      const from = current ? spec.columns.findIndex((c) => c.field === current.getField()) : 0
      const columns = spec.columns.slice(Math.max(from, 0))
      if (paste.isHead(cells[0], columns)) cells.shift()
      const list = data()
      let row = at() < 0 ? list.length : at(), unread = 0
      const first = row
      for (const line of cells) {
        if (row >= list.length) list.push(fresh())
        line.forEach((cell, i) => {
          if (!columns[i]) return
          const value = paste.value(columns[i], cell, spec.yes)
          if (value === undefined) unread++
          else list[row][columns[i].field] = value
        })
        row++
      }
      await replace(list, first, columns[0].field)
      keep()
      tell(unread ? 'unread' : 'pasted', unread || cells.length)
    })

    grid = {
      problems: (all) => {
        const before = wrongs
        wrongs = {}
        for (const [name, sentence] of Object.entries(all)) {
          const m = /^items\[(\d+)\]\.(\w+)$/.exec(name)
          if (m) wrongs[`${m[1]}.${m[2]}`] = sentence
        }
        const changed = new Set([...Object.keys(before), ...Object.keys(wrongs)].filter((k) => before[k] !== wrongs[k]))
        for (const key of changed) {
          const [i, field] = key.split('.')
          const cell = rows()[Number(i)]?.getCell(field)
          if (!cell || cell.getElement().classList.contains('tabulator-editing')) continue
          cell.getElement().replaceChildren(draw(cell))
        }
        for (const i of new Set([...changed].map((k) => Number(k.split('.')[0])))) rows()[i]?.normalizeHeight()
      },
      go: async (i, field) => {
        const row = rows()[i]
        if (!row) return
        if (!byField[field]) return
        await table.scrollToColumn(field, 'middle', false).catch(() => {})
        choose(row.getCell(field))
        edit(row, field)
      },
    }
  } else showProblems()
})()
