// Everything is reached by keys, in an order that makes sense, and one sees where one is.
import { phone } from '../lib/browser.mjs'

export async function play(story, hub) {
  const person = await story.person('social_operator')
  const { page } = person
  const at = () => page.evaluate(() => document.activeElement.id || document.activeElement.getAttribute('name') || document.activeElement.className)

  await person.goto('/ui/requests')
  await page.keyboard.press('Tab')
  story.check('the first stop skips to the content', await at(), 'skip')
  await page.keyboard.press('Enter')
  await page.waitForFunction(() => document.activeElement.id === 'content')
  story.ok('and it does')

  await person.goto('/ui/account')
  await page.keyboard.press('/')
  story.check('"/" goes to the search box', await at(), 'search')
  await page.keyboard.type(hub.population.name)
  await page.keyboard.press('Enter')
  await page.waitForURL(/\/ui\/resources\?/)
  story.check('and Enter searches', await page.locator(`a[href="/ui/resources/${hub.population.id}"]`).count() > 0, true)

  await person.goto(`/ui/resources/${hub.population.id}`)
  await tabTo(story, page, 'ask')
  await page.keyboard.press('Enter')
  await page.waitForSelector('#request-form')
  await tabTo(story, page, 'submit')

  await page.setViewportSize(phone)
  await person.goto('/ui/requests')
  const menu = page.locator('[data-menu]')
  await menu.focus()
  await page.keyboard.press('Enter')
  await page.waitForSelector('#menu', { state: 'visible' })
  story.check('the menu of a narrow screen says that it is open', await menu.getAttribute('aria-expanded'), 'true')
  await page.keyboard.press('Escape')
  await page.waitForSelector('#menu', { state: 'hidden' })
  story.check('and that it is closed', await menu.getAttribute('aria-expanded'), 'false')
}

// tabTo goes by Tab from the top of a page to an element, and sees at each stop where it is.
async function tabTo(story, page, id) {
  const unseen = new Set()
  for (let stops = 1; stops <= 250; stops++) {
    await page.keyboard.press('Tab')
    const stop = await page.evaluate(() => {
      const e = document.activeElement
      const style = getComputedStyle(e)
      const box = e.getBoundingClientRect()
      return {
        id: e.id, name: e.outerHTML.slice(0, 80),
        shown: (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0) || style.boxShadow !== 'none',
        inside: box.bottom > 0 && box.top < innerHeight && box.width > 0,
      }
    })
    if (!stop.shown || !stop.inside) unseen.add(stop.name)
    if (stop.id === id) {
      for (const name of unseen) story.fault(`one does not see where one is at ${name}`)
      return story.ok(`#${id} is reached by ${stops} stops`)
    }
  }
  throw new Error(`#${id} is not reached by Tab`)
}
