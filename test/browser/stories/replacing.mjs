// A version that takes an item away is published beside the one it replaces: until a day the consumer reads the old one, is told so, and
// changes over by taking note.
const left = 'version' // An item of the indicators that the grant has.

export async function play(story, hub) {
  const macro = hub.resource('macro_economy')
  const day = new Date(Date.now() + 30 * 86400e3).toISOString().slice(0, 10)
  await leaveOut(story, macro, day)
  await approve(story, 'statistics_admin', macro, 'approve')
  await approve(story, 'platform_operator', macro, 'publish')
  await changeOver(story, hub, macro, day)
}

// leaveOut: the provider drops an item, is told whom that breaks, and says how long the old version is served.
async function leaveOut(story, macro, day) {
  const operator = await story.person('statistics_operator')
  const { page } = operator
  await operator.goto(`/ui/compile/${macro.id}`)
  await page.locator('#acts form[action$="/start_version"] button, #act-start_version summary').first().click()
  await page.waitForSelector('#item-grid .tabulator-row')
  const row = page.locator('#item-grid .tabulator-row').filter({ has: page.locator('[tabulator-field=identifier]', { hasText: new RegExp(`^${left}$`) }) })
  await row.locator('[tabulator-field=name]').click()
  await page.keyboard.press('Escape')
  await page.click('[data-grid-act=remove]')
  await page.click('#save-draft')
  await page.waitForSelector('.alert-success')
  story.check('what the version takes away stands beside the question for the day', await page.locator('#beside li').count() > 0, true)
  await page.fill('#old_until', day)
  for (const [field, value] of [['name', '示例负责人'], ['date', '2026-11-20'], ['document', '示例签批〔2026〕2号']]) await page.fill(`[name="head_signoff.${field}"]`, value)
  await operator.shot('old-until')
  await page.click('#submit-draft')
  await page.waitForSelector('.alert-success')
  story.check('the day is kept with the version', await page.locator('#old-until').count(), 1)
  await operator.leave()
}

// approve takes one step of the review; whoever takes it sees the day.
async function approve(story, who, macro, act) {
  const person = await story.person(who)
  const { page } = person
  await person.goto(`/ui/compile/${macro.id}`)
  story.check(`${who} sees until when the old version is served`, await page.locator('#old-until').count(), 1)
  if (await page.locator(`#act-${act} summary`).count()) await page.click(`#act-${act} summary`)
  await page.click(`#do-${act}`)
  const confirm = page.locator('#confirm button[value=yes]')
  await Promise.race([page.waitForSelector('.alert-success'), confirm.waitFor().then(() => confirm.click())])
  await page.waitForSelector('.alert-success')
  await person.leave()
}

// changeOver: the consuming system goes on as before, is told in every answer, and reads the new version once its people have taken note.
async function changeOver(story, hub, macro, day) {
  const consumer = await story.person('civil_operator')
  const { page } = consumer
  await consumer.goto('/ui/grants')
  await page.click('main table a[href^="/ui/grants/"]')
  await page.waitForSelector('#old-version')
  const grant = page.url().match(/grants\/([0-9a-f-]{36})/)[1]
  await consumer.shot('old-version')
  const before = await answer(hub, grant, macro.id)
  story.check('the old version is still served', before.items.includes(left), true)
  story.check('and every answer says that it ends', [before.deprecation !== null, new Date(before.sunset) > new Date(day)].join(), 'true,true')
  await consumer.leave()
  const head = await story.person('civil_admin')
  await head.goto(`/ui/grants/${grant}`)
  await head.page.click('[id^=acknowledge-]')
  await head.page.waitForSelector('.alert-success')
  story.check('after taking note nothing is said of an old version', await head.page.locator('#old-version').count(), 0)
  const after = await answer(hub, grant, macro.id)
  story.check('the new version is served', [after.items.includes(left), after.deprecation].join(), 'false,')
  await head.leave()
}

// answer is what a consuming system is served, and what the headers say of the version.
async function answer(hub, grant, resource) {
  const client = hub.clientOf('civil_operator')
  const response = await fetch(`${hub.demo.api_url}/data/${resource}/rows?limit=1`, {
    headers: { Authorization: `Bearer ${client.key_id}.${client.secret}`, 'X-Grant': grant, 'X-Purpose': 'assistance.standard', 'X-Case-Number': 'MZ-2026-0001' },
  })
  const body = await response.json()
  return { items: Object.keys(body.rows?.[0] ?? {}), deprecation: response.headers.get('deprecation'), sunset: response.headers.get('sunset') }
}
