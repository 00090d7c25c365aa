// What pages do besides showing: each habit belongs to a data- attribute, so that templates hold no script.
(() => {
  'use strict'

  // The menu of narrow screens.
  const openMenu = (open) => {
    document.body.classList.toggle('menu-open', open)
    document.querySelector('[data-menu]')?.setAttribute('aria-expanded', String(open))
  }
  document.addEventListener('click', (e) => {
    if (e.target.closest('[data-menu]')) openMenu(!document.body.classList.contains('menu-open'))
  })

  // data-copy names the element whose text goes to the clipboard; data-copied is said when it is there.
  document.addEventListener('click', async (e) => {
    const button = e.target.closest('[data-copy]')
    if (!button) return
    const text = document.querySelector(button.dataset.copy).innerText
    try {
      await navigator.clipboard.writeText(text)
    } catch {
      // Without TLS browsers have no clipboard: the text is selected instead, for the keys to copy.
      getSelection().selectAllChildren(document.querySelector(button.dataset.copy))
      return
    }
    const before = button.innerHTML
    button.textContent = button.dataset.copied
    setTimeout(() => { button.innerHTML = before }, 1500)
  })

  // data-confirm on a form asks before it is sent, in a dialog that names what is touched.
  document.addEventListener('submit', (e) => {
    const form = e.target
    const sentence = (e.submitter && e.submitter.dataset.confirm) || form.dataset.confirm
    if (!sentence || form.dataset.confirmed) return
    e.preventDefault()
    const dialog = document.getElementById('confirm')
    dialog.querySelector('p').textContent = sentence
    dialog.returnValue = ''
    dialog.onclose = () => {
      if (dialog.returnValue !== 'yes') return
      form.dataset.confirmed = '1'
      form.requestSubmit(e.submitter || undefined)
    }
    dialog.showModal()
  })

  // data-opens on a link names the part of the page that it opens and leads to.
  document.addEventListener('click', (e) => {
    const link = e.target.closest('[data-opens]')
    if (link) document.getElementById(link.dataset.opens).open = true
  })
  // A form whose kept contents were put in again shows itself; data-refresh is a part of it that htmx draws anew from them, once it listens.
  document.addEventListener('restored', (e) => {
    const part = e.target.closest('details')
    if (part) part.open = true
    const drawn = e.target.querySelector('[data-refresh]')
    if (drawn) document.addEventListener('DOMContentLoaded', () => drawn.dispatchEvent(new Event('change')))
  })
  // data-busy on a form says what goes on while it takes long, and keeps it from being sent twice.
  document.addEventListener('submit', (e) => {
    const sentence = e.target.dataset.busy
    if (!sentence || e.defaultPrevented || !e.submitter) return
    setTimeout(() => { e.submitter.disabled = true; e.submitter.textContent = sentence })
  })

  // data-submit on a select or box sends its form as soon as it changes: filters, mostly.
  document.addEventListener('change', (e) => {
    if (e.target.closest('[data-submit]')) e.target.form.requestSubmit()
  })

  // Keys: "/" goes to the search box, Escape closes the menu.
  document.addEventListener('keydown', (e) => {
    if (e.key === 'Escape') openMenu(false)
    if (e.key !== '/' || e.ctrlKey || e.metaKey || e.altKey || e.target.closest('input, textarea, select, [contenteditable]')) return
    const box = document.querySelector('main [type=search]') || document.getElementById('search')
    if (box) { e.preventDefault(); box.focus(); box.select() }
  })

  // data-keep on a form keeps what is typed in this tab, under that name and for this person, until the form is done: a session that
  // ends in the middle loses nothing. Passwords and files are never kept.
  const who = document.body.dataset.reader || ''
  const keptFields = 'input:not([type=password]):not([type=hidden]):not([type=file]), textarea, select'
  const keyOf = (form) => `kept:${who}:${form.dataset.keep}`
  const values = (form) => [...form.querySelectorAll(keptFields)].filter((f) => f.name).map((f) => [
    f.name, ['checkbox', 'radio'].includes(f.type) ? f.value : null, ['checkbox', 'radio'].includes(f.type) ? f.checked : f.value,
  ])
  const restore = (form, kept) => {
    const fields = [...form.querySelectorAll(keptFields)]
    const met = {} // Of fields with one name, the first value is the first one's.
    for (const [name, value, now] of kept) {
      const named = fields.filter((f) => f.name === name)
      if (value === null) {
        const field = named[met[name] ?? 0]
        met[name] = (met[name] ?? 0) + 1
        if (field) field.value = now
      } else {
        for (const f of named) if (f.value === value) f.checked = now
      }
    }
  }
  for (const form of document.querySelectorAll('form[data-keep]')) {
    const kept = sessionStorage.getItem(keyOf(form))
    if (kept && who && !form.querySelector('.wrong')) {
      restore(form, JSON.parse(kept))
      form.querySelector('[data-restored]')?.removeAttribute('hidden')
      form.dispatchEvent(new Event('restored', { bubbles: true }))
    }
    const keep = () => { if (who) sessionStorage.setItem(keyOf(form), JSON.stringify(values(form))) }
    form.addEventListener('input', keep)
    form.addEventListener('submit', keep)
  }
  // A page that says that something was done forgets what was typed for it; signing out forgets everything.
  if (document.querySelector('[data-done]')) {
    for (const key of Object.keys(sessionStorage)) if (key.startsWith(`kept:${who}:`)) sessionStorage.removeItem(key)
  }
  document.getElementById('sign-out')?.closest('form').addEventListener('submit', () => sessionStorage.clear())

  // What scrolls inside a page is reached by keys, too.
  const scrolling = '.table-responsive, .scroll, pre.code, .tabs'
  const reach = new ResizeObserver((seen) => {
    for (const { target: box } of seen) {
      if (box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight) box.tabIndex = 0
      else if (!box.classList.contains('scroll')) box.removeAttribute('tabindex') // Those that may scroll at another width keep their place.
    }
  })
  const watch = (root) => { for (const box of root.querySelectorAll(scrolling)) reach.observe(box) }
  watch(document)
  document.addEventListener('htmx:load', (e) => watch(e.target.parentElement || document))

  // On narrow screens the tab that is open is brought into view.
  const open = document.querySelector('.tabs [aria-current]')
  if (open) open.parentElement.scrollLeft = open.offsetLeft - open.parentElement.offsetLeft - 16

  // data-chart holds a chart as JSON: {kind: "line"|"bar", x: [...], series: [{name, values, tone}], unit}.
  const tones = { green: '#2a9d5c', blue: '#1f5fae', azure: '#3aa0d8', yellow: '#d9a400', orange: '#e8710a', red: '#d63939', secondary: '#8a94a3' }
  for (const box of document.querySelectorAll('[data-chart]')) {
    const spec = JSON.parse(box.dataset.chart)
    const chart = window.echarts.init(box)
    chart.setOption({
      animation: false,
      textStyle: { fontFamily: getComputedStyle(document.body).fontFamily },
      color: ['blue', 'green', 'orange', 'azure', 'red'].map((t) => tones[t]),
      grid: { left: 8, right: 16, top: spec.series.length > 1 ? 48 : spec.unit ? 32 : 12, bottom: 4, containLabel: true },
      legend: spec.series.length > 1 ? { top: 0, left: 0, icon: 'roundRect', itemHeight: 8 } : undefined,
      tooltip: { trigger: 'axis', renderMode: 'richText', confine: true },
      xAxis: { type: 'category', data: spec.x, axisTick: { show: false } },
      yAxis: { type: 'value', minInterval: 1, name: spec.unit, nameGap: 10, splitLine: { lineStyle: { color: '#e6e9ee' } } },
      series: spec.series.map((s) => ({
        name: s.name, type: spec.kind, data: s.values, stack: spec.stacked ? 'all' : undefined, barMaxWidth: 28, symbolSize: 5,
        itemStyle: s.tone ? { color: tones[s.tone] } : undefined,
      })),
    })
    new ResizeObserver(() => chart.resize()).observe(box)
  }
})()
