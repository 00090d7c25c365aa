// The directory's own work: entries drawn from a source's tables, lists sent and taken as files, systems and nil returns, the
// calendar, code tables, and what a change will touch.
import { readFileSync } from 'node:fs'

const word = Date.now().toString(36)
const draftAddress = /\/ui\/compile\/[0-9a-f-]{36}/

export async function play(story, hub) {
  await fromTables(story)
  await files(story)
  await systems(story)
  await calendar(story)
  await codeTable(story)
  await change(story, hub)
}

// fromTables: a table of a source becomes a draft, and each suggestion says what it rests on.
async function fromTables(story) {
  const operator = await story.person('police_operator')
  const { page } = operator
  await operator.goto('/ui/sources')
  await page.click('main table a[href^="/ui/sources/"]')
  await page.click('#draft')
  await page.check('input[name=object] >> nth=0')
  await page.click('#propose')
  await page.waitForSelector('#keep')
  const evidence = await page.locator('main tbody td .muted').allInnerTexts()
  story.check('suggestions name the samples they rest on', evidence.some((text) => /[1-9][0-9,]*.*(个|行|次|samples|rows)/.test(text)), true)
  await operator.shot('drawn-from-table')
  await page.click('#keep')
  await page.waitForURL(draftAddress)
  const entry = operator.path()
  const items = JSON.parse(await page.inputValue('#f-items'))
  story.check('the draft holds the columns as items', items.length > 3 && items.every((i) => i.identifier && i.data_type), true)
  await operator.goto(entry)
  await page.click('#do-discard')
  await page.click('#confirm button[value=yes]')
  await page.waitForSelector('.alert-success')
  await operator.leave()
}

// files: what was taken as a file and is sent back changes nothing, and says so after it has shown how far it is.
async function files(story) {
  const operator = await story.person('police_operator')
  const { page } = operator
  for (const form of ['xlsx', 'csv']) {
    await operator.goto('/ui/imports')
    await page.selectOption('#as', form)
    await page.check('input[name=own]')
    const [file] = await Promise.all([page.waitForEvent('download'), page.click('#export')])
    await page.setInputFiles('#file', { name: form === 'csv' ? '目录往返.zip' : '目录往返.xlsx', mimeType: 'application/octet-stream', buffer: readFileSync(await file.path()) })
    await page.click('#send-file')
    await page.waitForURL(/\/ui\/imports\/[0-9a-f-]{36}/)
    await page.waitForFunction(() => !document.querySelector('#progress[hx-get]'))
    await operator.goto(operator.path())
    const [entries, , added, changed, unchanged, wrong] = (await page.locator('#progress .figures b').allInnerTexts()).map(Number)
    story.check(`a ${form} file that comes back as it was changes nothing`, [entries > 0, added, changed, unchanged === entries, wrong].join(), 'true,0,0,true,0')
  }
  await operator.shot('file-came-back')
  await operator.goto('/ui/imports')
  await page.setInputFiles('#file', { name: 'not-a-list.xlsx', mimeType: 'application/octet-stream', buffer: Buffer.from('no workbook') })
  await page.click('#send-file')
  await page.waitForSelector('.wrong, .trouble, .alert-danger')
  story.ok('what is no list of entries is refused with a sentence')
  await operator.leave()
}

// systems: a department without any files a nil return; one in use that no entry covers is missing from the directory.
async function systems(story) {
  const admin = await story.person('reform_admin')
  const { page } = admin
  await admin.goto('/ui/systems/nil-returns')
  await page.fill('#statement', `本部门无在用信息系统 ${word}`)
  await page.click('#file-nil-return')
  await page.click('#confirm button[value=yes]')
  await page.waitForSelector('#nil-returns')
  story.check('a nil return stands in the list', (await page.locator('#nil-returns').innerText()).includes(word), true)
  await admin.goto('/ui/systems')
  await page.fill('#new-name', `信用公示系统${word}`)
  await page.selectOption('#new-state', 'live')
  await page.click('#create-system')
  await page.waitForSelector('.alert-success')
  await admin.goto('/ui/systems/nil-returns')
  story.check('with a system in use there is nothing to file', await page.locator('#has-systems').count() + await page.locator('#file-nil-return').count(), 1)
  await admin.leave()

  const authority = await story.person('platform_operator')
  await authority.goto('/ui/systems/coverage')
  const numbers = await authority.page.locator('#departments tbody tr').filter({ hasText: '发展和改革' }).locator('td.num').allInnerTexts()
  story.check('the authority sees that no entry covers it', numbers[0] >= 1 && numbers[1] === '0', true)
  await authority.shot('coverage')
  await authority.leave()
}

// calendar: working days are counted over the holidays that the State Council announced.
async function calendar(story) {
  const operator = await story.person('social_operator')
  const { page } = operator
  await operator.goto('/ui/calendar?year=2026')
  await page.fill('#from', '2026-09-30')
  await page.fill('#days-number', '10')
  await page.click('#count')
  await page.waitForSelector('#due')
  // 1 to 7 October are off, 10 October is worked.
  story.check('ten working days from 30 September 2026', (await page.locator('#due b').innerText()).replace(/\D+/g, ' ').trim().replace(/ 0?/g, '-'), '2026-10-20')
  await operator.leave()
}

// codeTable: a value is added with the day from which it holds, and ended with a reason; both stay in its history.
async function codeTable(story) {
  const operator = await story.person('platform_operator')
  const { page } = operator
  await operator.goto('/ui/code-tables')
  const table = await page.locator('#editable a[href*="theme"]').first().getAttribute('href')
  await operator.goto(table)
  const code = `t${word}`.slice(0, 12)
  await page.click('details.act summary >> nth=0')
  await page.fill('#code', code)
  await page.fill('#name', `示例主题${word}`)
  await page.fill('#valid_from', '2026-01-01')
  await page.click('#add-value')
  await page.waitForSelector('.alert-success')
  await operator.goto(`${table}?q=${code}`)
  story.check('a code that was added is found', await page.locator('#values tbody tr').count(), 1)
  await page.click('#values details summary')
  await page.fill('#values input[name=valid_to]', '2026-12-31')
  await page.fill('#values input[name=reason]', '并入其他主题')
  await page.click('#values details button')
  await page.click('#confirm button[value=yes]')
  await page.waitForSelector('.alert-success')
  await page.click('nav.tabs a >> nth=1')
  await page.waitForSelector('#history')
  const history = await page.locator('#history tbody tr').filter({ hasText: code }).count()
  story.check('its history tells of both', history, 2)
  await operator.shot('code-history')
  await operator.leave()
}

// change: before a version leaves out an item, its compiler sees what differs and whose grants use it.
async function change(story, hub) {
  const operator = await story.person('police_operator')
  const { page } = operator
  const entry = `/ui/compile/${hub.population.id}`
  await operator.goto(entry)
  await page.locator('#acts form[action$="/start_version"] button, #act-start_version summary').first().click()
  await page.waitForSelector('#item-grid .tabulator-row')
  const name = page.locator('#item-grid .tabulator-row').filter({ has: page.locator('[tabulator-field=identifier]', { hasText: /^name$/ }) }).locator('[tabulator-field=name]')
  const title = await name.innerText()
  await name.click()
  await page.keyboard.press('Escape')
  await page.click('[data-grid-act=remove]')
  await page.click('#save-draft')
  await page.waitForSelector('.alert-success')
  await operator.goto(`${entry}?view=read`)
  story.check('the difference from the published version names the item', (await page.locator('#difference').innerText()).includes(title), true)
  await operator.goto(`${entry}/impact`)
  const broken = page.locator('#breaks tbody tr').filter({ hasText: title })
  const grants = Number(await broken.locator('td.num').first().innerText())
  story.check('the list of effects counts the grants that use it', grants > 0, true)
  story.check('and names each of them', await page.locator('#uses tbody tr').count() >= grants, true)
  await operator.shot('impact')
  await operator.goto(entry)
  await page.click('#do-discard')
  await page.click('#confirm button[value=yes]')
  await page.waitForSelector('.alert-success')
  await operator.leave()
}
