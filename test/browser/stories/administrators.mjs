// Each role has its own menu, and whoever is not shown a page is refused it by its address, too: the three administrators above
// all are kept apart.

const menus = {
  system_admin: 'home resources base-databases code-tables calendar data-elements people departments alarms health retention',
  security_admin: 'home resources base-databases code-tables calendar data-elements people departments clients rules access retention',
  auditor: 'home resources base-databases code-tables calendar data-elements departments rules audit evidence access retention',
  platform_operator: 'home resources compile imports changes base-databases systems code-tables calendar data-elements sleeping todo inbox requests grants sources mounts tasks runs departments clients alarms health retention',
  statistics_admin: 'home resources compile imports changes base-databases systems code-tables calendar data-elements sleeping todo inbox requests grants sources mounts tasks runs people departments clients alarms access retention',
  statistics_operator: 'home resources compile imports changes base-databases systems code-tables calendar data-elements sleeping todo inbox cart requests grants sources mounts tasks runs departments clients access',
}
const address = (name) => `/ui/${name}`

export async function play(story, hub) {
  const everything = [...new Set(Object.values(menus).flatMap((names) => names.split(' ')))].map(address)
  for (const [name, names] of Object.entries(menus)) {
    const want = names.split(' ').map(address)
    const person = await story.person(name)
    const got = await person.page.locator('#menu a').evaluateAll((all) => all.map((a) => a.getAttribute('href')))
    if (got.join(' ') !== want.join(' ')) story.fault(`the menu of ${name} is ${got.join(' ')}, not ${want.join(' ')}`)
    else story.ok(`the menu of ${name}`)
    // Asked for without being drawn: the crawl looks at what the pages show.
    const status = async (page) => (await person.context.request.get(hub.base + page, { maxRedirects: 0 })).status()
    for (const shown of got) {
      const answered = await status(shown)
      if (answered !== 200) story.fault(`${name} is shown ${shown} and is answered ${answered}`)
    }
    const hidden = everything.filter((page) => !got.includes(page))
    for (const page of hidden) {
      const answered = await status(page)
      if (![403, 404].includes(answered)) story.fault(`${name} is not shown ${page} and is answered ${answered}`)
    }
    story.ok(`${name} is refused ${hidden.join(' ') || 'nothing'}`)
    await person.leave()
  }
}
