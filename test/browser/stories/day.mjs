// The day of a request, by clicks as each of those who have to do with it: social security asks for three items of population,
// its head signs, the authority accepts, public security approves and later suspends, and the client is refused.

export async function play(story, hub) {
  const { population } = hub
  const client = hub.clientOf('social_operator')
  const operator = await story.person('social_operator')
  const { request, purpose } = await ask(story, hub, operator)

  // Each of the others finds it in the own to-do list.
  for (const [name, list, button, state] of [
    ['social_admin', 'sign', '#do-sign', 'pending_acceptance'],
    ['platform_operator', 'accept', '#do-accept', 'in_review'],
  ]) {
    const one = await story.person(name)
    await one.page.click('nav a[href="/ui/todo"]')
    await one.shot(`todo-${list}`)
    await one.page.click(`#todo-${list} a[href="/ui/requests/${request}"]`)
    await one.page.click(button)
    await one.page.waitForSelector('.alert-success')
    story.check(`${name} moves it on`, await one.state(), state)
    await one.leave()
  }
  const { police, grant } = await decide(story, request)
  story.check('the client is served', await hub.pull(grant, client, purpose, population.id), 'served')

  // Suspension wants a reason, and is felt at once.
  const { page } = police
  await page.click('#move-suspend summary')
  await page.click('#do-suspend')
  await page.waitForSelector('#move-suspend .wrong')
  await page.fill('#reason-suspend', '发现异常调用，暂停核查')
  await page.click('#do-suspend')
  await page.waitForSelector('.alert-success')
  story.check('the grant is suspended', await police.state('#grant-state'), 'suspended')
  story.check('the client is refused', await refused(hub, grant, client, purpose), 'grant_suspended')
  await police.shot('grant-suspended')
  await operator.goto(`/ui/grants/${grant}`)
  story.check('the consumer sees why', await operator.page.locator('#state-reason').innerText(), '发现异常调用，暂停核查')
  story.check('the consumer cannot resume it', await operator.page.locator('#do-resume').count(), 0)
  await page.click('#move-resume summary')
  await page.fill('#reason-resume', '核查完毕')
  await page.click('#do-resume')
  await page.waitForSelector('.alert-success')
  story.check('the grant is resumed', await police.state('#grant-state'), 'active')

  await runTask(story, police)
  await audited(story, grant)
}

// ask finds population and asks for three items of it. It returns the request and its purpose.
async function ask(story, hub, operator) {
  const { page } = operator
  const { population } = hub
  await operator.goto('/ui/resources')
  await operator.shot('directory')
  await page.fill('main input[name=q]', population.name)
  await page.click(`a.entry[href="/ui/resources/${population.id}"]`)
  await operator.shot('resource')
  await page.click('#ask')
  await page.waitForSelector('#request-form')
  await page.selectOption('#client', hub.clientOf('social_operator').id)
  for (const item of ['citizen_id', 'name', 'sex_code']) await page.check(`#item-${item}`)
  await page.check('input[name=lookup][value=citizen_id]')
  await page.selectOption('select[name=row_item] >> nth=0', 'domicile_division_code')
  await page.fill('input[name=row_value] >> nth=0', '330602')
  await page.waitForFunction(() => document.querySelector('#words')?.innerText.length > 12)

  // What is missing is said at the field, and nothing that was typed is lost.
  await page.click('#submit')
  await page.waitForSelector('.wrong')
  story.check('a form with gaps comes back with what was typed', await page.isChecked('#item-citizen_id'), true)
  await operator.shot('request-form')
  const purpose = `pension-check-${Date.now().toString(36)}`
  await page.fill('#legal_basis', '示例条例第一条')
  await page.fill('#scenario', '养老待遇资格核验时逐人核对')
  await page.fill('#purpose_text', '养老待遇资格核验')
  await page.fill('#purpose', purpose)
  await page.fill('#valid_until', new Date(Date.now() + 200 * 24 * 3600 * 1000).toISOString().slice(0, 10))
  await page.fill('#quota', '10000')
  await page.click('#submit')
  await page.waitForURL(/\/ui\/requests\/[0-9a-f-]{36}/)
  const request = page.url().match(/requests\/([0-9a-f-]{36})/)[1]
  story.check('the request waits for its signature', await operator.state(), 'dept_review')
  story.check('who made it is not shown the signature', await page.locator('#do-sign').count(), 0)
  await operator.shot('request')
  return { request, purpose }
}

// decide approves as public security does, twice at once: the second is told that it was done, and does no harm.
async function decide(story, request) {
  const police = await story.person('police_admin')
  await police.page.click('nav a[href="/ui/todo"]')
  await police.page.click(`#todo-decide a[href="/ui/requests/${request}"]`)
  await police.page.click('#move-approve summary')
  await police.shot('decide')
  const second = await story.person('police_admin')
  await second.goto(`/ui/requests/${request}`)
  await second.page.click('#move-approve summary')
  await police.page.click('#do-approve')
  await police.page.waitForSelector('.alert-success')
  story.check('public security approves', await police.state(), 'approved')
  await second.page.click('#do-approve')
  await second.page.waitForSelector('.alert-danger')
  story.check('who approves a moment later is told so', /已由他人办理|已被他人修改/.test(await second.page.locator('.alert-danger').first().innerText()), true)
  await second.shot('decided-meanwhile')
  await second.leave()
  await police.page.click('#to-grant')
  await police.page.waitForURL(/\/ui\/grants\//)
  story.check('the grant is in force', await police.state('#grant-state'), 'active')
  await police.shot('grant')
  return { police, grant: police.page.url().match(/grants\/([0-9a-f-]{36})/)[1] }
}

// refused asks again and again until the client is refused, for at most two seconds: the clock starts at the click.
async function refused(hub, grant, client, purpose) {
  let got = ''
  for (const started = Date.now(); Date.now() - started < 2000 && got !== 'grant_suspended';) {
    got = await hub.pull(grant, client, purpose, hub.population.id)
  }
  return got
}

// runTask runs a collect, as the people of the provider do.
async function runTask(story, police) {
  const { page } = police
  await page.click('nav a[href="/ui/tasks"]')
  await police.shot('tasks')
  await page.click('td a[href^="/ui/tasks/"]')
  await page.click('#run-now')
  await page.waitForURL(/\/ui\/(runs|tasks)\//)
  if (/\/ui\/runs\//.test(page.url())) {
    await page.waitForFunction(() => ['succeeded', 'partial', 'failed'].includes(
      document.querySelector('#progress .badge')?.getAttribute('title')), undefined, { timeout: 60000 })
    await page.waitForLoadState('load')
    story.ok('a run is watched to its end')
    await police.shot('run')
  }
}

// audited finds all of it in the log, which verifies.
async function audited(story, grant) {
  const auditor = await story.person('auditor')
  const { page } = auditor
  await page.click('nav a[href="/ui/audit"]')
  await page.fill('#object', grant)
  await page.click('form[action="/ui/audit"] button')
  story.check('the log has approval, suspension and resumption', (await page.locator('tbody tr').count()) >= 2, true)
  await page.click('#verify')
  await page.waitForSelector('#report', { timeout: 60000 })
  await auditor.shot('audit')
  story.check('an auditor sees no requests', await page.locator('nav a[href="/ui/requests"]').count(), 0)
}
