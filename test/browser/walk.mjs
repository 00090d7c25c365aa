// Walks the console by clicks in a real browser, as people of the demo's city do: social security asks for three items of
// population, its head signs, the authority accepts, public security approves and later suspends, and the client is
// refused. Every page is also checked for errors in the browser's console, for requests to other machines and for keys
// that nobody has translated.
//
//   node walk.mjs --url http://127.0.0.1:8080 --demo <data-dir>/demo.json [--shots <folder>] [--chromium <path>]
//
// It ends with 0 when all of that held, else with 1 and what did not.
import { chromium } from 'playwright-core'
import { mkdirSync, mkdtempSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

const { values: flags } = parseArgs({
  options: {
    url: { type: 'string' },
    demo: { type: 'string' },
    shots: { type: 'string' },
    chromium: { type: 'string', default: '/usr/bin/chromium' },
  },
})
const demo = JSON.parse(readFileSync(flags.demo, 'utf8'))
const base = (flags.url ?? demo.console_url).replace(/\/ui\/?$/, '').replace(/\/$/, '')
const shots = flags.shots ?? mkdtempSync(join(tmpdir(), 'shuqiao-browser-'))
mkdirSync(shots, { recursive: true })

const population = demo.resources.find((r) => r.base_database === 'population')
const faults = []

// Chromium must find nothing to talk to but the hub: its own background traffic is switched off.
const browser = await chromium.launch({
  executablePath: flags.chromium,
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync'],
})

// person opens a browser of their own and signs in.
async function person(name) {
  const context = await browser.newContext({ viewport: { width: 1366, height: 768 }, locale: 'zh-CN' })
  context.setDefaultTimeout(15000)
  const page = await context.newPage()
  const where = () => `${name} at ${page.url().replace(base, '')}`
  page.on('console', (m) => {
    // A form that is refused answers 4xx on purpose, which Chromium reports as an error of the network.
    if (m.type() === 'error' && !/status of 4(0[139]|12|22)/.test(m.text())) faults.push(`${where()}: console: ${m.text()}`)
  })
  page.on('pageerror', (e) => faults.push(`${where()}: script: ${e.message}`))
  page.on('request', (r) => {
    if (!r.url().startsWith(base + '/') && !r.url().startsWith('data:')) faults.push(`${where()}: foreign request to ${r.url()}`)
  })
  page.on('response', (r) => { if (r.status() >= 500) faults.push(`${where()}: ${r.status()} for ${r.url()}`) })
  await page.goto(base + '/ui/')
  const user = demo.users[name]
  await page.fill('#username', user.username)
  await page.fill('#password', user.password)
  await page.click('#sign-in')
  await page.waitForSelector('#sign-out')
  return {
    page,
    shot: async (file) => {
      await look(page, where)
      await page.screenshot({ path: join(shots, file + '.png') })
    },
    state: (selector = '.head .badges') => page.locator(selector + ' .badge').first().getAttribute('title'),
    leave: () => context.close(),
  }
}

// look finds words of the messages' keys in what is shown: a key without a sentence is shown as it is.
async function look(page, where) {
  const text = await page.locator('body').innerText()
  const found = text.match(/\b(app|nav|list|form|terms|request|requests|grant|grants|todo|task|tasks|run|audit|fault|wrong|move|consequence|done|resource|directory|item|fresh|counts|compare|reject|schedule)\.[a-z_]+\b(?!\()/g)
  if (found && !/\/ui\/audit/.test(page.url())) faults.push(`${where()}: no sentence for ${[...new Set(found)].join(', ')}`)
}

function check(what, got, want) {
  if (got !== want) throw new Error(`${what}: got ${got}, want ${want}`)
  console.log(`ok    ${what}`)
}

// pull asks the hub for rows as the client does, under one grant.
async function pull(grant, client, key) {
  const answer = await fetch(`${demo.api_url}/data/${population.id}/rows?limit=3`, {
    headers: { Authorization: `Bearer ${client.key_id}.${client.secret}`, 'X-Grant': grant, 'X-Purpose': key, 'X-Case-Number': 'B-2026-0001' },
  })
  const body = await answer.json()
  return answer.ok ? 'served' : body.code
}

// refused asks again and again until the answer is want, for at most two seconds: the clock starts at the click.
async function refused(grant, client, purpose, want) {
  let got = ''
  for (const started = Date.now(); Date.now() - started < 2000;) {
    got = await pull(grant, client, purpose)
    if (got === want) break
  }
  return got
}

async function story() {
  // Social security's operator finds population and asks for three items of it.
  const operator = await person('social_operator')
  await operator.shot('directory')
  await operator.page.fill('input[name=q]', population.name)
  await operator.page.click(`a.entry[href="/ui/resources/${population.id}"]`)
  await operator.shot('resource')
  await operator.page.click('#ask')
  await operator.page.waitForSelector('#request-form')
  const clients = operator.page.locator('#client option:not([value=""])')
  await operator.page.selectOption('#client', await clients.first().getAttribute('value'))
  for (const item of ['citizen_id', 'name', 'sex_code']) await operator.page.check(`#item-${item}`)
  await operator.page.check('input[name=lookup][value=citizen_id]')
  await operator.page.selectOption('select[name=row_item] >> nth=0', 'domicile_division_code')
  await operator.page.fill('input[name=row_value] >> nth=0', '330602')
  await operator.page.waitForFunction(() => document.querySelector('#words')?.innerText.length > 12)

  // What is missing is said at the field, and nothing that was typed is lost.
  await operator.page.click('#submit')
  await operator.page.waitForSelector('.wrong')
  check('a form with gaps comes back with what was typed', await operator.page.isChecked('#item-citizen_id'), true)
  await operator.shot('request-form')
  const purpose = 'pension-check-' + Date.now().toString(36)
  await operator.page.fill('#legal_basis', '示例条例第一条')
  await operator.page.fill('#scenario', '养老待遇资格核验时逐人核对')
  await operator.page.fill('#purpose_text', '养老待遇资格核验')
  await operator.page.fill('#purpose', purpose)
  const until = new Date(Date.now() + 200 * 24 * 3600 * 1000).toISOString().slice(0, 10)
  await operator.page.fill('#valid_until', until)
  await operator.page.fill('#quota', '10000')
  await operator.page.click('#submit')
  await operator.page.waitForURL(/\/ui\/requests\/[0-9a-f-]{36}/)
  const request = operator.page.url().match(/requests\/([0-9a-f-]{36})/)[1]
  check('the request waits for its signature', await operator.state(), 'dept_review')
  check('who made it is not shown the signature', await operator.page.locator('#do-sign').count(), 0)
  await operator.shot('request')

  // Each of the others finds it in the own to-do list.
  for (const [name, list, button, state] of [
    ['social_admin', 'sign', '#do-sign', 'pending_acceptance'],
    ['platform_operator', 'accept', '#do-accept', 'in_review'],
  ]) {
    const one = await person(name)
    await one.page.click('nav a[href="/ui/todo"]')
    await one.shot('todo-' + list)
    await one.page.click(`#todo-${list} a[href="/ui/requests/${request}"]`)
    await one.page.click(button)
    await one.page.waitForSelector('.alert-success')
    check(`${name} moves it on`, await one.state(), state)
    await one.leave()
  }
  const police = await person('police_admin')
  await police.page.click('nav a[href="/ui/todo"]')
  await police.page.click(`#todo-decide a[href="/ui/requests/${request}"]`)
  await police.page.click('#move-approve summary')
  await police.shot('decide')
  await police.page.click('#do-approve')
  await police.page.waitForSelector('.alert-success')
  check('public security approves', await police.state(), 'approved')
  await police.page.click('#to-grant')
  await police.page.waitForURL(/\/ui\/grants\//)
  const grant = police.page.url().match(/grants\/([0-9a-f-]{36})/)[1]
  check('the grant is in force', await police.state('#grant-state'), 'active')
  await police.shot('grant')

  const client = demo.clients?.find((c) => c.id === clientOf(demo)) ?? demo.clients?.[0]
  if (demo.api_url && client) check('the client is served', await pull(grant, client, purpose), 'served')

  // Suspension wants a reason, and is felt at once.
  await police.page.click('#move-suspend summary')
  await police.page.click('#do-suspend')
  await police.page.waitForSelector('#move-suspend .wrong')
  await police.page.fill('#reason-suspend', '发现异常调用，暂停核查')
  await police.page.click('#do-suspend')
  await police.page.waitForSelector('.alert-success')
  check('the grant is suspended', await police.state('#grant-state'), 'suspended')
  if (demo.api_url && client) check('the client is refused', await refused(grant, client, purpose, 'grant_suspended'), 'grant_suspended')
  await police.shot('grant-suspended')
  await operator.page.goto(`${base}/ui/grants/${grant}`)
  check('the consumer sees why', await operator.page.locator('#state-reason').innerText(), '发现异常调用，暂停核查')
  check('the consumer cannot resume it', await operator.page.locator('#do-resume').count(), 0)
  await police.page.click('#move-resume summary')
  await police.page.fill('#reason-resume', '核查完毕')
  await police.page.click('#do-resume')
  await police.page.waitForSelector('.alert-success')
  check('the grant is resumed', await police.state('#grant-state'), 'active')

  // A withheld entry says why, and offers nothing.
  await operator.page.goto(`${base}/ui/resources?share=withheld`)
  if (await operator.page.locator('a.entry').count() > 0) {
    await operator.page.locator('a.entry').first().click()
    await operator.page.waitForSelector('.head .badges')
    check('a withheld entry cannot be asked for', await operator.page.locator('#ask').count(), 0)
    await operator.shot('withheld')
  }
  await operator.page.click('button[name=language]')
  await operator.page.goto(`${base}/ui/resources/${population.id}`)
  check('English is a click away', await operator.page.getAttribute('html', 'lang'), 'en')
  await operator.shot('resource-en')
  await operator.page.goto(`${base}/ui/requests/${request}`)
  await operator.shot('request-en')

  // Runs, for the people of the provider.
  await police.page.click('nav a[href="/ui/tasks"]')
  await police.shot('tasks')
  await police.page.click('td a[href^="/ui/tasks/"]')
  await police.page.click('#run-now')
  await police.page.waitForURL(/\/ui\/(runs|tasks)\//)
  if (/\/ui\/runs\//.test(police.page.url())) {
    await police.page.waitForFunction(() => ['succeeded', 'partial', 'failed'].includes(
      document.querySelector('#progress .badge')?.getAttribute('title')), undefined, { timeout: 60000 })
    await police.page.waitForLoadState('load')
    await police.shot('run')
  }
  await police.leave()
  await operator.leave()

  // The auditor finds all of it in the log, which verifies.
  const auditor = await person('auditor')
  await auditor.page.click('nav a[href="/ui/audit"]')
  await auditor.page.fill('#object', grant)
  await auditor.page.click('form[action="/ui/audit"] button')
  check('the log has approval, suspension and resumption', (await auditor.page.locator('tbody tr').count()) >= 2, true)
  await auditor.page.click('#verify')
  await auditor.page.waitForSelector('#report', { timeout: 60000 })
  await auditor.shot('audit')
  check('an auditor sees no requests', await auditor.page.locator('nav a[href="/ui/requests"]').count(), 0)
  await auditor.leave()
}

// clientOf is the client that the form offers first: the consumer's by name.
function clientOf(d) {
  const department = d.users.social_operator.department
  return d.clients?.filter((c) => c.department === department).sort((a, b) => (a.name < b.name ? -1 : 1))[0]?.id
}

let failed = false
try {
  await story()
} catch (error) {
  failed = true
  console.error(`FAIL  ${error.message}`)
  for (const [i, page] of browser.contexts().flatMap((c) => c.pages()).entries()) {
    console.error(`      a page was at ${page.url()}`)
    await page.screenshot({ path: join(shots, `failed-${i}.png`), fullPage: true }).catch(() => {})
  }
} finally {
  await browser.close()
}
for (const fault of faults) console.error(`FAIL  ${fault}`)
console.log(`pictures are in ${shots}`)
process.exit(failed || faults.length ? 1 : 0)
