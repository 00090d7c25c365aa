// Takes the pictures of the documents: one of each main page in Chinese, and the most telling ones in English.
//
//   node screenshots.mjs --demo <data-dir>/demo.json --to <folder> [--only <picture>,…] [--chromium <path>]
//
// Names are the same at each run, and nothing secret is on a picture: who is shown made-up data sees no key and no password.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { launch, people } from './lib/browser.mjs'
import { openHub } from './lib/hub.mjs'
import { shrink } from './lib/png.mjs'
import { Story } from './lib/story.mjs'
import { pictures, prepare } from './pictures.mjs'

const largest = 150_000 // Bytes of one picture.

const { values: flags } = parseArgs({
  options: { demo: { type: 'string' }, to: { type: 'string' }, only: { type: 'string', default: '' }, chromium: { type: 'string', default: '/usr/bin/chromium' } },
})
mkdirSync(flags.to, { recursive: true })
const only = flags.only.split(',').filter(Boolean)
const hub = openHub(flags.demo)
const browser = await launch(flags.chromium)
const story = new Story('screenshots', people(browser, hub, flags.to), flags.to)

// shot takes one picture when fonts and charts are drawn.
async function shot(page, name) {
  await page.evaluate(() => document.fonts.ready)
  await page.mouse.move(0, 0)
  const picture = shrink(await page.screenshot({ animations: 'disabled', caret: 'hide' }))
  writeFileSync(join(flags.to, `${name}.png`), picture)
  console.log(`${name}.png ${Math.round(picture.length / 1024)} KB`)
  if (picture.length > largest) story.fault(`${name}.png has ${picture.length} bytes, more than ${largest}`)
}

try {
  await prepare(hub)
  for (const language of ['zh-CN', 'en']) {
    const readers = new Map()
    for (const picture of pictures) {
      if (language === 'en' && !picture.english) continue
      if (only.length && !only.includes(picture.name)) continue
      if (!readers.has(picture.who)) {
        const reader = await story.person(picture.who)
        if (await reader.page.getAttribute('html', 'lang') !== language) {
          await reader.page.click('button[name=language]')
          await reader.page.waitForSelector(`html[lang=${language}]`)
        }
        readers.set(picture.who, reader)
      }
      const reader = readers.get(picture.who)
      await reader.page.setViewportSize(picture.viewport ?? { width: 1366, height: 768 })
      const answer = await picture.show(reader, hub)
      if (answer.status() !== 200) story.fault(`${picture.name}: ${answer.status()}`)
      await shot(reader.page, language === 'en' ? `${picture.name}.en` : picture.name)
    }
    for (const reader of readers.values()) {
      // Whoever reads English on a picture reads Chinese afterwards, as everybody does at first.
      if (language === 'en') {
        await reader.page.setViewportSize({ width: 1366, height: 768 })
        await reader.goto('/ui/account')
        await reader.page.click('button[name=language]')
        await reader.page.waitForSelector('html[lang=zh-CN]')
      }
      await reader.leave()
    }
  }
} catch (error) {
  story.fault(error.message)
  for (const page of await story.last()) console.log(`${page.who} was at ${page.at}, picture ${page.file}`)
} finally {
  await browser.close()
}
for (const fault of story.wrong()) console.error(`FAIL  ${fault}`)
process.exit(story.faults.size ? 1 : 0)
