// A session that ends in the middle of a form loses nothing: who signs in again finds what was typed. The forms are those that the
// crawl has met.

export async function play(story, hub) {
  for (const [kind, { name, address, form }] of hub.keeping) {
    const person = await story.person(name)
    const { page } = person
    await person.goto(address)
    const selector = `form[data-keep="${form}"]`
    const typed = await type(page, selector)
    await person.context.clearCookies({ name: 'sq_session' })
    await page.locator(selector).evaluate((f) => { f.noValidate = true; f.dataset.confirmed = '1'; f.requestSubmit(f.querySelector('button:not([type=button])')) })
    await page.waitForSelector('#sign-in')
    await person.signIn() // It leads back to the form.
    await page.waitForSelector(selector, { state: 'attached' })
    const now = await written(page, selector)
    const lost = typed.flatMap(([field, value], i) => (now[i]?.[1] === value ? [] : [`${field} is ${now[i]?.[1]}, was ${value}`]))
    story.check(`${kind}: what was typed is there again`, lost.join('; '), '')
    await person.leave()
  }
}

// type fills the texts of a form by hand, as far as they can be seen, and returns what all of them hold.
async function type(page, selector) {
  await page.evaluate(() => { for (const d of document.querySelectorAll('details')) d.open = true })
  const fields = page.locator(`${selector} :is(input[type=text], input:not([type]), textarea):not([readonly]):not([disabled])`)
  for (const [i, field] of (await fields.all()).entries()) {
    if (await field.isVisible()) await field.fill(`未写完 ${i}`)
  }
  return written(page, selector)
}

const written = (page, selector) => page.locator(selector).evaluate((f) => [...f.querySelectorAll('input:not([type=password]):not([type=hidden]), textarea, select')]
  .filter((e) => e.name).map((e) => [e.name, ['checkbox', 'radio'].includes(e.type) ? e.checked : e.value]))
