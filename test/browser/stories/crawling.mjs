// Every page that a role can reach by links: no dead link, no key for a sentence, nothing wider than its window, and nothing that
// axe-core calls serious or critical; in both languages, on a desk and on a phone.
import { crawl, id, kindOf } from '../lib/crawl.mjs'
import { formsOf } from '../lib/forms.mjs'
import { desk, phone } from '../lib/browser.mjs'
import { tooWide, unfold, violations } from '../lib/look.mjs'

const most = 150
// A thorough walk looks at two things of each kind, since what a page shows depends on their state, and with axe-core as every role.
const each = (hub) => (kind) => (hub.thorough && kind.includes('{id}') ? 2 : 1)
const roles = ['system_admin', 'security_admin', 'auditor', 'platform_operator', 'police_admin', 'social_operator']

export const byRole = Object.fromEntries(roles.map((name) => [`crawl-${name}`, { play: (story, hub) => play(story, hub, name) }]))

async function play(story, hub, name) {
  const person = await story.person(name)
  const { page } = person
  const firsts = []
  hub.forms.set(name, [])
  const newKind = (kind) => hub.thorough || !hub.translated.has(kind)
  // A kind of page that another role was shown is drawn alike for this one: what it says and where it leads may differ.
  const read = async (address, html) => {
    await person.look(html)
    note(hub, name, address, await formsOf(page, address, html))
  }
  const look = async (address, first) => {
    await unfold(page)
    await person.look()
    await narrow(person, desk)
    if (!first) return
    for (const violation of await violations(page)) person.fault(violation)
    note(hub, name, address, await formsOf(page, address))
    if (!hub.translated.has(kindOf(address))) firsts.push(address)
    hub.translated.add(kindOf(address))
    await narrow(person, phone)
    await page.setViewportSize(desk)
  }
  const { kinds, visited, left } = await crawl(person, hub.base, { most, each: each(hub), drawn: newKind, look, read })
  story.ok(`${visited} pages of ${kinds.size} kinds as ${name}, ${left} more links known`)

  // The same in English, as a phone shows it: each kind of page once, whoever met it first.
  await person.goto('/ui/resources')
  await page.click('button[name=language]')
  await page.waitForSelector('html[lang=en]')
  await page.setViewportSize(phone)
  for (const address of firsts) {
    await person.goto(address)
    await unfold(page)
    await person.look()
    await narrow(person, phone)
    // Colours are the same in every language, and what they cost is half of the whole.
    for (const violation of await violations(page, hub.thorough ? [] : ['color-contrast'])) person.fault(violation)
  }
  await person.goto('/ui/resources')
  await page.click('button[name=language]')
  await page.waitForSelector('html[lang=zh-CN]')
  story.ok(`${firsts.length} of them in English on a phone`)
}

// narrow finds what is wider than its window.
async function narrow(person, size) {
  await person.page.setViewportSize(size)
  const wide = await tooWide(person.page)
  if (wide) person.fault(`${wide.over} px wider than ${size.width}: ${wide.by.join(', ')}`)
}

// note remembers the forms of a page: those one types into, for the story with hostile input, and those that promise to keep what
// was typed, for the story that ends the session in their middle.
function note(hub, name, address, forms) {
  for (const form of forms) {
    if (form.texts) hub.forms.get(name).push({ address, form })
    const kind = form.kept?.replace(id, '{id}')
    if (kind && !hub.keeping.has(kind)) hub.keeping.set(kind, { name, address, form: form.kept })
  }
}
