// What takes more than one hand or more than one thing: an approver and their deputy at one request, cells from a spreadsheet, and
// what is laid aside to be asked for.
import { asked, callers } from '../lib/api.mjs'
import { counted } from '../lib/story.mjs'

const actionsForThree = 12

export async function play(story, hub) {
  await deputies(story, hub)
  await pasting(story, hub)
  await cart(story, hub)
}

// deputies: an approver and their deputy open the same request. Who decides second is told so, and changes nothing.
async function deputies(story, hub) {
  const call = callers(hub)
  const request = await asked(call, hub, 'social', 'population', {
    items: ['name'], purpose: `deputy-${Date.now().toString(36)}`, purpose_text: '养老待遇资格核验', scenario: '逐人核对', legal_basis: '示例条例第一条',
  }, ['submit', 'sign', 'accept'])
  const colleagues = (await call('police_admin', 'GET', '/me/colleagues')).data
  const named = colleagues.find((c) => c.username === hub.demo.users.police_operator.username)
  const absence = await call('police_admin', 'POST', '/me/deputies', { deputy_id: named.id, ends_at: new Date(Date.now() + 24 * 3600 * 1000).toISOString() })
  try {
    const [head, deputy] = [await story.person('police_admin'), await story.person('police_operator')]
    for (const one of [head, deputy]) {
      await one.goto(`/ui/requests/${request.id}`)
      await one.page.click('#move-approve summary')
    }
    await deputy.page.click('#do-approve')
    await deputy.page.waitForSelector('.alert-success')
    story.check('a deputy approves', await deputy.state(), 'approved')
    await head.page.click('#do-approve')
    await head.page.waitForSelector('.alert-danger')
    story.check('the approver who comes second is told so in plain words', /已由他人办理|已被他人修改/.test(await head.page.locator('.alert-danger').first().innerText()), true)
    await head.shot('decided-by-deputy')
    const grants = (await call('police_admin', 'GET', `/grants?resource_id=${hub.population.id}&limit=500`)).data
    story.check('one grant came of it', grants.filter((g) => g.request_id === request.id).length, 1)
    await Promise.all([head.leave(), deputy.leave()])
  } finally {
    await call('police_admin', 'DELETE', `/me/deputies/${absence.id}`)
  }
}

// pasting: a block of cells copied from a spreadsheet becomes items.
async function pasting(story, hub) {
  const operator = await story.person('police_operator', { permissions: ['clipboard-read', 'clipboard-write'] })
  const { page } = operator
  await operator.goto('/ui/compile/new')
  await page.fill('#name', `粘贴示例${Date.now().toString(36)}`)
  await page.click('#create-empty')
  await page.waitForURL(/\/ui\/compile\/[0-9a-f-]{36}/)
  const entry = page.url()
  await page.click('[data-grid-act=add]')
  const titles = await page.evaluate(() => JSON.parse(document.getElementById('item-grid').dataset.grid).columns.slice(0, 4).map((c) => c.title))
  const rows = [titles, ['编号', 'no', '字符', '20'], ['登记日期', 'registered_on', '日期', ''], ['备注，含"引号"', 'remark', 'M', '']]
  // As a spreadsheet writes it: a cell with quotes stands in quotes, with its own doubled.
  const text = rows.map((r) => r.map((cell) => (cell.includes('"') ? `"${cell.replaceAll('"', '""')}"` : cell)).join('\t')).join('\r\n') + '\r\n'
  await page.evaluate((text) => navigator.clipboard.writeText(text), text)
  await page.click('#item-grid .tabulator-row .tabulator-cell[tabulator-field=name]')
  await page.keyboard.press('Control+V')
  await page.waitForFunction(() => document.querySelectorAll('#item-grid .tabulator-row').length === 3)
  await operator.shot('pasted')
  await page.click('#save-draft')
  await page.waitForSelector('.alert-success')
  await operator.goto(entry.replace(hub.base, ''))
  const items = JSON.parse(await page.inputValue('#f-items'))
  story.check('cells of a spreadsheet became items', items.map((i) => [i.name, i.identifier, i.data_type, i.length || 0].join(' ')).join('; '),
    '编号 no C 20; 登记日期 registered_on D 0; 备注，含"引号" remark M 0')
  await operator.leave()
}

// cart: an entry is laid aside in the directory, without leaving it, and three items of it are asked for.
async function cart(story, hub) {
  const operator = await story.person('civil_operator')
  const { page } = operator
  await operator.goto('/ui/cart')
  if (await page.locator('#empty-cart').count() > 0) {
    await page.click('#empty-cart')
    await page.click('#confirm button[value=yes]')
    await page.waitForSelector('.alert-success')
  }
  const list = '/ui/resources?base=population'
  await operator.goto(list)
  const asking = counted(page)
  const mark = `#cart-${hub.population.id}`
  await asking.click(`${mark} button`)
  await page.waitForSelector(`${mark} a`)
  story.check('laying aside does not leave the list', operator.path(), list)
  await operator.shot('directory-cart')
  await asking.click(`${mark} a`)
  await asking.click('#ask-for-cart')
  await page.waitForSelector('#request-form')
  const client = page.locator('#client')
  if (await client.inputValue() === '') await asking.selectOption('#client', hub.clientOf('civil_operator').id)
  for (const item of ['name', 'sex_code', 'domicile_division_code']) await asking.check(`[id="r${hub.population.id}-item-${item}"]`)
  await asking.fill('#legal_basis', '示例条例第二条')
  await asking.fill('#scenario', '核对低保申请人的户籍')
  await asking.fill('#purpose_text', '低保资格核对')
  await asking.fill('#purpose', `cart-${Date.now().toString(36)}`)
  if (await page.inputValue('#valid_until') === '') await asking.fill('#valid_until', new Date(Date.now() + 90 * 24 * 3600 * 1000).toISOString().slice(0, 10))
  await asking.click('#submit')
  await page.waitForURL(/\/ui\/cart\/made/)
  story.check(`three items are asked for through the cart in ${asking.count} actions (at most ${actionsForThree})`, asking.count <= actionsForThree, true)
}
