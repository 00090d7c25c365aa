// People in browsers of their own. Whatever a page does that no page of the hub may do becomes a fault, whoever was looking.
import { chromium } from 'playwright-core'
import { join } from 'node:path'
import { shownKeys } from './look.mjs'

export const desk = { width: 1366, height: 768 }
export const phone = { width: 390, height: 844 }

// launch starts a Chromium that finds nothing to talk to but the hub: its own background traffic is switched off.
export const launch = (executablePath) => chromium.launch({
  executablePath,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync',
    // Nobody looks at the pages sixty times a second, and they are one site: drawing them plainly is cheaper.
    '--disable-gpu-compositing', '--disable-gpu-rasterization', '--disable-site-isolation-trials'],
})

// people opens browsers for the accounts of the demonstration. An account signs in once: its later browsers share that session
// unless they ask for one of their own, because the hub bounds how often an address may sign in.
export function people(browser, hub, shots) {
  const sessions = new Map()

  const session = (name) => {
    if (!sessions.has(name)) {
      sessions.set(name, (async () => {
        const context = await browser.newContext({ locale: 'zh-CN' })
        const page = await context.newPage()
        await page.goto(`${hub.base}/ui/`)
        await signIn(page, name)
        const state = await context.storageState()
        await context.close()
        return state
      })())
    }
    return sessions.get(name)
  }

  async function signIn(page, name) {
    const user = hub.demo.users[name]
    await page.fill('#username', user.username)
    await page.fill('#password', user.password)
    await page.click('#sign-in')
    await page.waitForSelector('#sign-out')
  }

  // open returns a browser of a person who is signed in; own gives it a session of its own.
  return async function open(story, name, { own = false, viewport = desk, ...options } = {}) {
    const context = await browser.newContext({ viewport, locale: 'zh-CN', reducedMotion: 'reduce', storageState: own || !name ? undefined : await session(name), ...options })
    context.setDefaultTimeout(30000)
    const page = await context.newPage()
    const path = () => page.url().replace(hub.base, '')
    const fault = (text) => story.fault(text, `${name ?? 'nobody'} at ${path()}`)
    watch(page, hub, fault)
    await page.goto(`${hub.base}/ui/`)
    if (own) await signIn(page, name)
    const person = {
      name, page, context, path, fault,
      signIn: () => signIn(page, name),
      goto: (address) => page.goto(hub.base + address),
      state: (selector = '.head .badges') => page.locator(`${selector} .badge`).first().getAttribute('title'),
      look: async (html) => { for (const key of await shownKeys(page, hub.key, html)) fault(`no sentence for ${key}`) },
      async shot(file) {
        await person.look()
        await page.screenshot({ path: join(shots, `${file}.png`) })
      },
      leave: () => context.close(),
    }
    story.here(person)
    return person
  }
}

// watch reports what a page of the hub must never do.
function watch(page, hub, fault) {
  page.on('console', (m) => {
    // A form that is refused answers 4xx on purpose, which Chromium reports as an error of the network.
    if (m.type() === 'error' && !/status of 4(0[01349]|12|22)/.test(m.text())) fault(`console: ${m.text()}`)
  })
  page.on('pageerror', (e) => fault(`script: ${e.message}`))
  page.on('request', (r) => {
    if (!r.url().startsWith(hub.base + '/') && !/^(data|blob):/.test(r.url())) fault(`foreign request to ${r.url()}`)
  })
  page.on('response', (r) => { if (r.status() >= 500) fault(`${r.status()} for ${r.url().replace(hub.base, '')}`) })
  page.on('dialog', (d) => { fault(`a dialog of the browser: ${d.message()}`); d.dismiss().catch(() => {}) })
}
