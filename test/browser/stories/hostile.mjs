// Markup typed into every text field of every form that somebody can reach: nothing of it becomes an element, nothing runs, and
// where it is shown again it is text. The browser is told to ignore the Content-Security-Policy, so that escaping alone must hold.
import { crawl, kindOf } from '../lib/crawl.mjs'
import { inForms } from '../lib/forms.mjs'
import { unfold } from '../lib/look.mjs'

const mark = 'Zq7'
const payload = `${mark}"'><b class=pwned onclick=alert(1)>x</b><script>window.pwned=1</script><img class=pwned src=x onerror=alert(1)>`

// The forms are those that the crawl has met. Left out are forms that end the session, or are about secrets, which no page shows.
const skipped = /\/ui\/(sign-out|language|account\/(sign-out-everywhere|sessions|password|factor))/

// Those of one row type at once, each row after the one before. Who may change accounts comes last: afterwards somebody may be gone.
const rows = [['social_operator', 'platform_operator', 'police_admin'], ['auditor', 'security_admin'], ['system_admin']]
const readers = ['platform_operator', 'police_admin', 'social_operator']

export async function play(story, hub) {
  let shown = 0
  const judge = async (person) => {
    const { elements, ran, texts } = await person.page.evaluate((m) => ({
      elements: document.querySelectorAll('.pwned').length,
      ran: Boolean(window.pwned),
      texts: [...document.querySelectorAll('input, textarea')].filter((e) => e.value.includes(m)).length + document.body.innerText.split(m).length - 1,
    }), mark)
    if (elements) person.fault('markup that was typed became an element')
    if (ran) person.fault('script that was typed ran')
    shown += texts
  }

  await atTheDoor(story, judge)
  const done = new Set()
  const type = async (name) => {
    const forms = (hub.forms.get(name) ?? []).filter(({ form }) => {
      const kind = `${form.method} ${kindOf(form.action)} ${form.names}`
      return !skipped.test(form.action) && !done.has(kind) && done.add(kind)
    })
    if (forms.length === 0) return
    const person = await story.person(name, { bypassCSP: true })
    for (const { address, form } of forms) {
      // What is refused at once is typed again as it should be, so that the rest is kept and shown elsewhere.
      let refused = []
      for (let pass = 0; pass < 2; pass++) {
        await person.goto(address)
        if (!await submit(person.page, form.id, refused)) break
        await judge(person)
        refused = await person.page.evaluate(() => [...document.querySelectorAll('.wrong')].flatMap((w) => {
          let box = w.parentElement
          while (box && !box.querySelector('[name]')) box = box.parentElement
          return box ? [...box.querySelectorAll('[name]')].map((e) => e.name) : []
        }))
        if (refused.length === 0) break
      }
    }
    await person.leave()
  }
  for (const row of rows) await Promise.all(row.map(type))
  story.check(`more than twenty forms were tried (${done.size})`, done.size > 20, true)
  for (const name of hub.thorough ? readers : readers.slice(0, 1)) {
    const person = await story.person(name, { bypassCSP: true })
    await crawl(person, hub.base, { most: 60, each: () => 1, look: async () => { await unfold(person.page); await judge(person) } })
    await person.leave()
  }
  story.check(`what was typed is shown as text (${shown} times)`, shown > done.size, true)
}

// atTheDoor tries the form of those who are not signed in.
async function atTheDoor(story, judge) {
  const nobody = await story.person(null, { bypassCSP: true })
  await nobody.page.fill('#username', payload)
  await nobody.page.fill('#password', payload)
  await nobody.page.click('#sign-in')
  await nobody.page.waitForSelector('.alert-danger')
  await judge(nobody)
  await nobody.leave()
}

// submit fills one form of a page, all texts with markup but those named plain, and sends it without being asked whether. It says
// whether the form is there.
async function submit(page, id, plain) {
  await page.evaluate(inForms)
  const there = await page.evaluate(({ id, plain, payload }) => {
    const form = window.formsHere().find((f) => f.id === id)?.form
    if (!form) return false
    const day = new Date(Date.now() + 100 * 24 * 3600 * 1000).toISOString().slice(0, 10)
    const likely = (e) => e.value || { date: day, 'datetime-local': `${day}T08:00`, number: '1', time: '08:00', month: day.slice(0, 7) }[e.type] || (e.inputMode === 'numeric' ? '1' : 'hostile-test')
    const ticked = {}
    for (const e of form.elements) {
      if (!e.name || e.disabled || e.type === 'hidden' || e.type === 'file' || e.tagName === 'BUTTON') continue
      if (e.tagName === 'SELECT') {
        if (e.value === '') e.value = [...e.options].find((o) => o.value && !o.disabled)?.value ?? ''
      } else if (e.type === 'checkbox' || e.type === 'radio') {
        ticked[e.name] = (ticked[e.name] ?? 0) + 1
        if (ticked[e.name] <= (e.type === 'radio' ? 1 : 3)) e.checked = true
      } else if (plain.includes(e.name)) {
        e.value = likely(e)
      } else {
        if (!['text', 'search', 'textarea', 'password'].includes(e.type)) e.type = 'text'
        e.value = payload
      }
    }
    document.documentElement.dataset.old = '1'
    form.noValidate = true
    form.dataset.confirmed = '1'
    return true
  }, { id, plain, payload })
  if (!there) return false
  const [answer] = await Promise.all([
    page.waitForResponse((r) => ['document', 'xhr', 'fetch'].includes(r.request().resourceType())),
    page.evaluate((id) => {
      const { form } = window.formsHere().find((f) => f.id === id)
      form.requestSubmit([...form.elements].find((e) => e.tagName === 'BUTTON' && e.type === 'submit'))
    }, id),
  ])
  if (answer.request().resourceType() === 'document' && !/attachment/.test(answer.headers()['content-disposition'])) {
    await page.waitForFunction(() => !document.documentElement.dataset.old && document.readyState === 'complete')
  } else {
    await page.waitForFunction(() => !document.querySelector('.htmx-request'))
  }
  return true
}
