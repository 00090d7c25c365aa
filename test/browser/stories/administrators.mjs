// Each role has its own menu, and whoever is not shown a page is refused it by its address, too: the three administrators above
// all are kept apart.

const menus = {
  system_admin: ['/ui/resources', '/ui/alarms', '/ui/retention'],
  security_admin: ['/ui/resources', '/ui/retention'],
  auditor: ['/ui/resources', '/ui/audit', '/ui/retention'],
  platform_operator: ['/ui/resources', '/ui/todo', '/ui/requests', '/ui/grants', '/ui/tasks', '/ui/alarms', '/ui/retention'],
  statistics_admin: ['/ui/resources', '/ui/todo', '/ui/requests', '/ui/grants', '/ui/tasks', '/ui/alarms', '/ui/retention'],
  statistics_operator: ['/ui/resources', '/ui/todo', '/ui/requests', '/ui/grants', '/ui/tasks'],
}

export async function play(story) {
  const everything = [...new Set(Object.values(menus).flat())]
  for (const [name, want] of Object.entries(menus)) {
    const person = await story.person(name)
    const got = await person.page.locator('#menu a').evaluateAll((all) => all.map((a) => a.getAttribute('href')))
    story.check(`the menu of ${name}`, got.join(' '), want.join(' '))
    for (const address of got) {
      const answer = await person.goto(address)
      if (answer.status() !== 200) story.fault(`${name} is shown ${address} and is answered ${answer.status()}`)
    }
    const hidden = everything.filter((address) => !got.includes(address))
    for (const address of hidden) {
      const answer = await person.goto(address)
      if (![403, 404].includes(answer.status())) story.fault(`${name} is not shown ${address} and is answered ${answer.status()}`)
    }
    story.ok(`${name} is refused ${hidden.join(' ') || 'nothing'}`)
    await person.leave()
  }
}
