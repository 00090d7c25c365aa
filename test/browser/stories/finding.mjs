// How far it is to what people come for: population data from home, and a request of three items.
import { counted } from '../lib/story.mjs'

const clicksToData = 4
const actionsToRequest = 12

export async function play(story, hub) {
  const { population } = hub
  const operator = await story.person('civil_operator')
  const { page } = operator

  const finding = counted(page)
  await finding.click('main a:has-text("人口")')
  await finding.click(`main a[href="/ui/resources/${population.id}"]`)
  await page.waitForSelector(`h1:has-text("${population.name}")`)
  story.check(`population data is found from home in ${finding.count} clicks (at most ${clicksToData})`, finding.count <= clicksToData, true)

  const asking = counted(page)
  await asking.click('#ask')
  await page.waitForSelector('#request-form')
  // An item that is not to be had says so in words, and cannot be ticked.
  const fourth = page.locator('#request-form tr').filter({ has: page.locator('input[name=items]:disabled') }).first()
  if (await fourth.count() > 0) {
    story.check('an item that is not to be had says so', (await fourth.innerText()).includes('不予共享'), true)
  }
  if (await page.inputValue('#client') === '') await asking.selectOption('#client', hub.clientOf('civil_operator').id)
  for (const item of ['name', 'sex_code', 'domicile_division_code']) await asking.check(`#item-${item}`)
  await asking.fill('#legal_basis', '示例条例第二条')
  await asking.fill('#scenario', '核对低保申请人的户籍')
  await asking.fill('#purpose_text', '低保资格核对')
  await asking.fill('#purpose', `assistance-${Date.now().toString(36)}`)
  if (await page.inputValue('#valid_until') === '') await asking.fill('#valid_until', new Date(Date.now() + 90 * 24 * 3600 * 1000).toISOString().slice(0, 10))
  await asking.click('#submit')
  await page.waitForURL(/\/ui\/requests\/[0-9a-f-]{36}/)
  story.check(`three items are asked for in ${asking.count} actions (at most ${actionsToRequest})`, asking.count <= actionsToRequest, true)

  // A withheld entry says why, and offers nothing.
  await operator.goto('/ui/resources?share=withheld')
  await page.locator('a.entry').first().click()
  await page.waitForSelector('.head .badges')
  story.check('a withheld entry cannot be asked for', await page.locator('#ask').count(), 0)
  await operator.shot('withheld')
}
