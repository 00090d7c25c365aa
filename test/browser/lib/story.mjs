// A story says what held, and remembers who was looking at what when something did not.
import { join } from 'node:path'

export class Story {
  constructor(name, open, shots) {
    Object.assign(this, { name, shots, said: [], faults: new Map(), people: [], open })
  }

  ok(what) { this.said.push(`ok    ${what}`) }

  check(what, got, want) {
    if (got !== want) throw new Error(`${what}: got ${JSON.stringify(got)}, want ${JSON.stringify(want)}`)
    this.ok(what)
  }

  // fault remembers what is wrong, and once where: the same on many pages is one thing to mend.
  fault(text, where = '') {
    if (!this.faults.has(text)) this.faults.set(text, [])
    this.faults.get(text).push(where)
  }

  // wrong says every fault in a line.
  wrong() {
    return [...this.faults].map(([text, places]) => {
      const others = new Set(places).size - 1
      return (places[0] ? `${places[0]}: ` : '') + text + (others > 0 ? ` (and at ${others} others)` : '')
    })
  }

  here(person) { this.people.push(person) }

  person(name, options) { return this.open(this, name, options) }

  // last takes pictures of the pages at which a story failed, and returns what they say.
  async last() {
    const pages = []
    for (const [i, person] of this.people.entries()) {
      if (person.page.isClosed()) continue
      const file = join(this.shots, `failed-${this.name}-${i}.png`)
      await person.page.screenshot({ path: file, fullPage: true, timeout: 5000 }).catch(() => {})
      const text = await person.page.locator('main').innerText({ timeout: 2000 }).catch(() => '')
      pages.push({ who: person.name ?? 'nobody', at: person.page.url(), file, text: text.replace(/\s*\n\s*/g, '\n').slice(0, 1000) })
    }
    return pages
  }

  async leave() {
    await Promise.all(this.people.map((p) => p.leave().catch(() => {})))
  }
}

// counted returns a page's hand that counts what it does: one for each click, tick, choice, key or filled field.
export function counted(page) {
  const hand = { count: 0 }
  for (const act of ['click', 'fill', 'check', 'selectOption', 'press']) {
    hand[act] = (...rest) => { hand.count++; return page[act](...rest) }
  }
  return hand
}
