// Follows every link of the console from a person's home, a few examples of each kind of page.
export const id = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g
const coded = /^(\/ui\/(?:code-tables|data-elements|base-databases))\/(?!new\b)[^/]+/ // What is called by a code, not by an id.
const named = ['tab', 'view', 'step', 'language'] // What these say makes a page of its own kind.

// kindOf is what pages that differ only in what they show have in common: the path without ids, the tab, and whether anything
// narrows it.
export function kindOf(address) {
  const url = new URL(address, 'http://hub')
  const query = [...url.searchParams].filter(([, value]) => value !== '')
  const parts = query.filter(([name]) => named.includes(name)).map(([name, value]) => `${name}=${value}`)
  if (query.length > parts.length) parts.push('filters')
  return url.pathname.replace(id, '{id}').replace(coded, '$1/{code}').replace(/\/\d+(?=\/|$)/g, '/{n}') + (parts.length ? `?${parts.join('&')}` : '')
}

// links returns where a page leads, as its window shows it or as its text says it: addresses inside the console, files to download,
// what leads out of it, and whether what is called within the page is there.
const links = (page, address, html) => page.evaluate(({ address, html }) => {
  const doc = html === undefined ? document : new DOMParser().parseFromString(html, 'text/html')
  return [...doc.querySelectorAll('a[href]')].map((a) => {
    const href = a.getAttribute('href')
    return {
      href, url: new URL(href, new URL(address, location.href)).href, download: a.hasAttribute('download'),
      dead: href.startsWith('#') && href !== '#' && !doc.getElementById(href.slice(1)),
    }
  })
}, { address, html })

// open goes to a page. What turns out to be a file is downloaded by the browser, and there is no page to look at.
const open = (person, address) => person.goto(address).catch((e) => {
  if (!e.message.includes('Download is starting')) throw e
})

// crawl visits pages as a person, most kinds first, as many of one kind as each says: look is called with each page that was opened,
// and whether it is the first of its kind. A page whose kind drawn denies is not opened but read, which is much cheaper, and read is
// called with its text. It returns the kinds with how many pages of each were visited.
export async function crawl(person, base, { most, each, look, drawn = () => true, read }) {
  const seen = new Map()
  const asked = new Set()
  const queue = [{ address: '/ui/', from: 'the start' }]
  const known = new Set(['/ui/'])
  let visited = 0
  while (queue.length && visited < most) {
    queue.sort((a, b) => (seen.get(kindOf(a.address)) ?? 0) - (seen.get(kindOf(b.address)) ?? 0))
    const { address, from } = queue.shift()
    const kind = kindOf(address)
    if ((seen.get(kind) ?? 0) >= each(kind)) continue
    seen.set(kind, (seen.get(kind) ?? 0) + 1)
    visited++
    const draw = drawn(kind)
    const answer = draw ? await open(person, address) : await person.context.request.get(base + address)
    if (!answer) continue
    if (answer.status() !== 200) {
      person.fault(`dead link: ${answer.status()} for ${address}, from ${from}`)
      continue
    }
    if (!draw && !answer.headers()['content-type'].startsWith('text/html')) continue
    const html = draw ? undefined : await answer.text()
    if (draw) await look(address, seen.get(kind) === 1)
    else await read(address, html)
    for (const link of await links(person.page, address, html)) {
      if (link.dead) person.fault(`dead link: nothing on ${address} is called ${link.href}`)
      if (link.href.startsWith('#')) continue
      if (!link.url.startsWith(`${base}/`)) {
        person.fault(`a link out of the hub: ${link.url}`)
        continue
      }
      const next = link.url.slice(base.length).replace(/#.*/, '')
      if (known.has(next)) continue
      known.add(next)
      if (link.download || !next.startsWith('/ui/')) {
        // A file is fetched, not opened; one of each kind is enough.
        if (asked.has(kindOf(next))) continue
        asked.add(kindOf(next))
        const file = await person.context.request.get(base + next, { maxRedirects: 0 })
        if (file.status() !== 200) person.fault(`dead link: ${file.status()} for the file ${next}`)
        continue
      }
      queue.push({ address: next, from: address })
    }
  }
  return { kinds: seen, visited, left: queue.length }
}
