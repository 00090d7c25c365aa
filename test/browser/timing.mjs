// Measures how long the console takes to answer: every kind of page that a role meets from its home, asked for again and again, one
// at a time, as a person does.
//
//   node timing.mjs --demo <data-dir>/demo.json [--url http://127.0.0.1:8080] [--who population_admin,…] [--times 20] [--each 2]
//
// It prints the 50th and 95th percentile in milliseconds of each kind of page, the slowest first, and of all answers together.
import { parseArgs } from 'node:util'
import { kindOf } from './lib/crawl.mjs'
import { openHub } from './lib/hub.mjs'

const { values: flags } = parseArgs({
  options: {
    demo: { type: 'string' }, url: { type: 'string' }, chromium: { type: 'string' },
    who: { type: 'string', default: 'social_operator,police_admin,platform_operator,auditor,security_admin,system_admin' },
    times: { type: 'string', default: '20' }, each: { type: 'string', default: '2' },
  },
})
const hub = openHub(flags.demo, flags.url)

// signIn returns the cookie of a person's session.
async function signIn(name) {
  const { username, password } = hub.demo.users[name]
  const answer = await fetch(`${hub.base}/ui/sign-in`, {
    method: 'POST', redirect: 'manual', body: new URLSearchParams({ username, password }), headers: { Origin: hub.base },
  })
  const cookies = answer.headers.getSetCookie().map((cookie) => cookie.split(';')[0])
  if (answer.status !== 303 || !cookies.length) throw new Error(`${name} cannot sign in: ${answer.status}`)
  return cookies.join('; ')
}

async function get(cookie, address) {
  const begun = performance.now()
  const answer = await fetch(hub.base + address, { headers: { Cookie: cookie } })
  const text = await answer.text()
  return { status: answer.status, url: answer.url, text, took: performance.now() - begun, page: answer.headers.get('content-type')?.startsWith('text/html') }
}

// pagesOf lists the addresses of pages that a person comes to from home, some of each kind.
async function pagesOf(cookie) {
  const seen = new Map()
  const found = []
  const known = new Set(['/ui/'])
  const queue = ['/ui/']
  while (queue.length && found.length < 400) {
    const address = queue.shift()
    const kind = kindOf(address)
    if ((seen.get(kind) ?? 0) >= Number(flags.each)) continue
    seen.set(kind, (seen.get(kind) ?? 0) + 1)
    const { status, url, text, page } = await get(cookie, address)
    if (status !== 200 || !page) continue
    found.push(url.slice(hub.base.length)) // Where home is depends on who asks.
    for (const [, href] of text.matchAll(/<a\b[^>]*?\bhref="([^"#]+)/g)) {
      const to = new URL(href.replaceAll('&amp;', '&'), url)
      const next = to.pathname + to.search
      if (to.origin !== new URL(hub.base).origin || !next.startsWith('/ui/') || known.has(next)) continue
      known.add(next)
      queue.push(next)
    }
  }
  return found
}

const percentile = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
const line = (took, name) => {
  const sorted = took.toSorted((a, b) => a - b)
  return `${percentile(sorted, 0.5).toFixed(1).padStart(8)} ${percentile(sorted, 0.95).toFixed(1).padStart(8)}  ${name}`
}

const byKind = new Map()
const all = []
for (const who of flags.who.split(',')) {
  const cookie = await signIn(who)
  const pages = await pagesOf(cookie)
  for (let round = 0; round < Number(flags.times); round++) {
    for (const address of pages) {
      const { status, took } = await get(cookie, address)
      if (status !== 200) throw new Error(`${who}: ${address} answers ${status}`)
      const name = `${kindOf(address)} as ${who}`
      byKind.set(name, [...(byKind.get(name) ?? []), took])
      all.push(took)
    }
  }
}
const slow = (took) => percentile(took.toSorted((a, b) => a - b), 0.95)
console.log('     p50      p95  milliseconds')
for (const [name, took] of [...byKind].sort((a, b) => slow(b[1]) - slow(a[1]))) console.log(line(took, name))
console.log(line(all, `all ${all.length} answers of ${byKind.size} kinds of pages`))
