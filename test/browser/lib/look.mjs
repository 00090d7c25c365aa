// What is looked at on every page: words, width, and what axe-core finds.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const axe = readFileSync(fileURLToPath(new URL('../node_modules/axe-core/axe.min.js', import.meta.url)), 'utf8')

// shownKeys returns what looks like the key of a message, in texts and in what is said of fields and pictures, on the page or in
// the text of another. Codes in fixed width are data, and so is what was typed.
export const shownKeys = (page, key, html) => page.evaluate(({ source, flags, html }) => {
  const doc = html === undefined ? document : new DOMParser().parseFromString(html, 'text/html')
  const found = new Set()
  const look = (text) => { for (const m of text?.matchAll(new RegExp(source, flags)) ?? []) found.add(m[0]) }
  const walker = doc.createTreeWalker(doc.body, NodeFilter.SHOW_TEXT)
  while (walker.nextNode()) {
    if (!walker.currentNode.parentElement.closest('.mono, code, pre, script, style, textarea')) look(walker.currentNode.data)
  }
  for (const e of doc.querySelectorAll('[aria-label], [placeholder], [alt], [data-confirm], [data-copied]')) {
    for (const name of ['aria-label', 'placeholder', 'alt', 'data-confirm', 'data-copied']) look(e.getAttribute(name))
  }
  look(doc.title)
  return [...found]
}, { source: key.source, flags: key.flags, html })

// tooWide returns by how many pixels a page is wider than its window, and the elements that make it so.
export const tooWide = (page) => page.evaluate(() => {
  const root = document.documentElement
  const over = root.scrollWidth - root.clientWidth
  if (over <= 0) return null
  const scrolls = (e) => { for (let p = e.parentElement; p; p = p.parentElement) if (/auto|scroll|hidden|clip/.test(getComputedStyle(p).overflowX)) return true; return false }
  const wide = [...document.querySelectorAll('body *')].filter((e) => e.getBoundingClientRect().right > root.clientWidth + 1 && !scrolls(e))
  const name = (e) => e.tagName.toLowerCase() + (e.id ? `#${e.id}` : '') + [...e.classList].map((c) => `.${c}`).join('')
  return { over, by: wide.slice(-3).map(name) }
})

// unfold opens everything that is folded, so that what is inside is looked at, too.
export const unfold = (page) => page.evaluate(() => { for (const d of document.querySelectorAll('details')) d.open = true })

// violations returns what axe-core calls serious or critical: rule, element, and what is wrong with it. Rules about less are not
// asked, and those of without neither.
export async function violations(page, without = []) {
  if (!await page.evaluate(() => Boolean(window.axe))) await page.evaluate(axe)
  const found = await page.evaluate((without) => {
    const less = window.axe._audit.rules.filter((rule) => ['minor', 'moderate'].includes(rule.impact)).map((rule) => rule.id)
    const rules = Object.fromEntries([...less, ...without].map((id) => [id, { enabled: false }]))
    return window.axe.run(document, { resultTypes: ['violations'], preload: false, rules }).then((r) => r.violations
      .filter((v) => ['serious', 'critical'].includes(v.impact))
      .flatMap((v) => v.nodes.slice(0, 3).map((n) => ({ rule: v.id, at: n.target.flat().join(' '), why: n.failureSummary.split('\n').slice(1, 2).join('').trim() }))))
  }, without)
  return found.map((f) => `axe ${f.rule}: ${f.at}: ${f.why}`)
}
