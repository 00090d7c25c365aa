// Plays the stories of the console in a real browser, against a hub that serves the demonstration.
//
//   node walk.mjs --demo <data-dir>/demo.json [--url http://127.0.0.1:8080] [--shots <folder>] [--only <story>,…] [--thorough] [--chromium <path>]
//
// A thorough walk looks at more examples of each kind of page, and at each as every role; it takes three times as long.
//
// It ends with 0 when every story held and no page did what no page may do (lib/browser.mjs), else with 1, what did not hold,
// and the pages at which it did not.
import { mkdirSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { launch, people } from './lib/browser.mjs'
import { openHub } from './lib/hub.mjs'
import { Story } from './lib/story.mjs'
import * as administrators from './stories/administrators.mjs'
import * as cataloguing from './stories/cataloguing.mjs'
import * as crawling from './stories/crawling.mjs'
import * as day from './stories/day.mjs'
import * as finding from './stories/finding.mjs'
import * as hostile from './stories/hostile.mjs'
import * as keyboard from './stories/keyboard.mjs'
import * as languages from './stories/languages.mjs'
import * as replacing from './stories/replacing.mjs'
import * as sessionEnd from './stories/session-end.mjs'
import * as together from './stories/together.mjs'

// What stands in one line may be played at once. The pages are crawled when there is something on them, and hostile input, which
// touches everything, comes last.
const acts = [
  { day, cataloguing, finding, keyboard, languages, administrators, together, replacing },
  crawling.byRole,
  { 'session-end': sessionEnd },
  { hostile },
]
const atOnce = 2

const { values: flags } = parseArgs({
  options: {
    url: { type: 'string' },
    demo: { type: 'string' },
    shots: { type: 'string' },
    only: { type: 'string', default: '' },
    thorough: { type: 'boolean', default: false },
    chromium: { type: 'string', default: '/usr/bin/chromium' },
  },
})
const shots = flags.shots ?? mkdtempSync(join(tmpdir(), 'shuqiao-browser-'))
mkdirSync(shots, { recursive: true })
const only = flags.only.split(',').filter(Boolean)
const hub = Object.assign(openHub(flags.demo, flags.url), { thorough: flags.thorough })
const browser = await launch(flags.chromium)
const open = people(browser, hub, shots)
const started = Date.now()
const seconds = (since) => `${((Date.now() - since) / 1000).toFixed(1)} s`
let failed = 0

async function play(name, telling) {
  const story = new Story(name, open, shots)
  const begun = Date.now()
  let last = []
  try {
    await telling.play(story, hub)
  } catch (error) {
    // Playwright adds colours and what it logged meanwhile: the first lines say what was waited for.
    story.fault(error.message.replace(/\x1b\[\d+m/g, '').split('\n').filter(Boolean).slice(0, 3).join(' '))
    last = await story.last()
  }
  console.log(`${story.faults.size ? 'FAIL' : 'PASS'}  ${name} (${seconds(begun)})`)
  for (const line of story.said) console.log(`      ${line}`)
  if (story.faults.size) {
    failed++
    for (const fault of story.wrong()) console.log(`      FAIL  ${fault}`)
    for (const page of last) {
      console.log(`      ${page.who} was at ${page.at}, picture ${page.file}, which says:`)
      console.log(page.text.replace(/^/gm, '      | '))
    }
  }
  await story.leave()
}

try {
  for (const act of acts) {
    const stories = Object.entries(act).filter(([name]) => only.length === 0 || only.some((o) => name.startsWith(o)))
    await Promise.all(Array.from({ length: atOnce }, async () => {
      for (let next = stories.shift(); next; next = stories.shift()) await play(...next)
    }))
  }
} finally {
  await browser.close()
}
console.log(`${failed ? `${failed} stories FAILED` : 'all stories passed'} in ${seconds(started)}; pictures are in ${shots}`)
process.exit(failed ? 1 : 0)
