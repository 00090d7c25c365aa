// Which pages the documents show, to whom, and what must have happened before.
import { asked, callers } from './lib/api.mjs'

// prepare makes what a day's work leaves on the desks: requests at each step, and one that was put aside half written.
export async function prepare(hub) {
  const call = callers(hub)
  const why = (basis, scenario, purpose, text) => ({ legal_basis: basis, scenario, purpose, purpose_text: text })
  hub.review = await asked(call, hub, 'civil', 'population', {
    items: ['citizen_id', 'name', 'sex_code', 'birth_date', 'domicile_division_code'], lookup: ['citizen_id'], unmask: ['name'],
    row_filter: { op: 'prefix', item: 'domicile_division_code', value: '330602' }, quota: 100000, quota_period: 'month',
    ...why('《社会救助暂行办法》第十一条', '审核低保申请家庭成员的户籍和年龄', 'assistance.check', '最低生活保障对象资格审核'),
  }, ['submit', 'sign', 'accept'])
  await asked(call, hub, 'reform', 'population', {
    items: ['citizen_id', 'name'], lookup: ['citizen_id'],
    ...why('《企业信息公示暂行条例》第十七条', '核对失信被执行人身份', 'credit.identity', '信用主体身份核对'),
  }, ['submit', 'sign', 'accept'])
  await asked(call, hub, 'social', 'legal_person', {
    items: ['uscc', 'name', 'reg_status'], quota: 20000, quota_period: 'month',
    ...why('《中华人民共和国社会保险法》第五十七条', '核对参保单位登记状态', 'insurance.employer', '参保单位登记核对'),
  }, ['submit'])
  await asked(call, hub, 'social', 'certificate', {
    items: ['cert_name', 'holder_name'], ...why('《中华人民共和国社会保险法》第七十四条', '核对待遇领取人的证照', 'pension.certificate', '待遇领取人证照核对'),
  })
  for (const [name, state] of [['居住证办理系统', 'live'], ['旧户籍查询系统', 'zombie']]) await call('police_operator', 'POST', '/systems', { name, state })
}

const grantOf = (hub) => hub.demo.grants.find((g) => g.resource === hub.population.id)
const taskOf = (hub) => hub.demo.tasks.find((t) => t.resource === hub.population.id)
const at = (path) => (reader, hub) => reader.goto(typeof path === 'function' ? path(hub) : path)
const resource = (tab) => at((hub) => `/ui/resources/${hub.population.id}${tab ? `?tab=${tab}` : ''}`)

// follow goes to a page and from there to the first that a link leads to.
const follow = (path, link) => async (reader, hub) => {
  await at(path)(reader, hub)
  return reader.goto(await reader.page.locator(link).first().getAttribute('href'))
}

// compiling opens a draft made from the population template, the same at each picture.
const compiling = async (reader, hub) => {
  if (!hub.draft) {
    await reader.goto('/ui/compile/new')
    await reader.page.fill('#name-base_population', '示例区人口基本信息')
    await reader.page.click('#template-base_population button')
    await reader.page.waitForURL(/\/ui\/compile\/[0-9a-f-]{36}/)
    hub.draft = reader.path().split('?')[0]
  }
  return reader.goto(hub.draft)
}

// drawing proposes an entry from the first table of the department's source.
const drawing = async (reader) => {
  await reader.goto('/ui/sources')
  const source = await reader.page.locator('main table a[href^="/ui/sources/"]').first().getAttribute('href')
  await reader.goto(`${source}/draft`)
  const table = await reader.page.locator('input[name=object]').first().inputValue()
  return reader.goto(`${source}/draft?object=${encodeURIComponent(table)}`)
}

export const pictures = [
  // Whoever looks for data.
  { name: 'home', who: 'social_operator', english: true, show: at('/ui/') },
  { name: 'home-phone', who: 'social_operator', viewport: { width: 390, height: 844 }, show: at('/ui/') },
  { name: 'directory', who: 'social_operator', english: true, show: at('/ui/resources') },
  { name: 'resource', who: 'social_operator', english: true, show: resource('') },
  { name: 'resource-items', who: 'social_operator', show: resource('items') },
  { name: 'resource-data', who: 'police_admin', show: resource('data') },
  { name: 'resource-sample', who: 'social_operator', show: resource('sample') },
  { name: 'resource-api', who: 'social_operator', show: resource('api') },
  { name: 'resource-lineage', who: 'police_admin', english: true, show: resource('lineage') },
  // Whoever asks.
  { name: 'request-form', who: 'social_operator', english: true, show: at((hub) => `/ui/resources/${hub.population.id}/request`) },
  { name: 'requests', who: 'social_operator', show: at('/ui/requests') },
  { name: 'inbox', who: 'social_operator', show: at('/ui/inbox') },
  // Whoever decides.
  { name: 'desk', who: 'police_admin', english: true, show: at('/ui/todo') },
  { name: 'review', who: 'police_admin', english: true, show: at((hub) => `/ui/requests/${hub.review.id}`) },
  { name: 'grants', who: 'police_admin', show: at('/ui/grants') },
  { name: 'grant', who: 'police_admin', english: true, show: at((hub) => `/ui/grants/${grantOf(hub).id}`) },
  // Whoever sees to the data.
  { name: 'sources', who: 'police_admin', show: at('/ui/sources') },
  { name: 'mapping', who: 'police_admin', show: follow('/ui/mounts', 'main a[href^="/ui/mounts/"]:not([href$="/new"])') },
  { name: 'task', who: 'police_admin', english: true, show: at((hub) => `/ui/tasks/${taskOf(hub).id}`) },
  { name: 'runs', who: 'police_admin', show: at('/ui/runs') },
  { name: 'run', who: 'police_admin', show: follow('/ui/runs', 'main a[href^="/ui/runs/"]') },
  { name: 'compile-new', who: 'police_operator', show: at('/ui/compile/new') },
  { name: 'compile-form', who: 'police_operator', english: true, show: compiling },
  // Whoever keeps the directory.
  { name: 'drawing', who: 'police_operator', english: true, show: drawing },
  { name: 'imports', who: 'police_operator', show: at('/ui/imports') },
  { name: 'code-table', who: 'platform_operator', show: follow('/ui/code-tables', '#editable a') },
  { name: 'calendar', who: 'social_operator', english: true, show: at('/ui/calendar?year=2026&from=2026-09-30&days=10') },
  { name: 'coverage', who: 'platform_operator', show: at('/ui/systems/coverage') },
  { name: 'element', who: 'platform_operator', show: at('/ui/data-elements/citizen_id') },
  { name: 'changes', who: 'platform_operator', show: at('/ui/changes') },
  // Whoever watches and administers.
  { name: 'people', who: 'system_admin', show: at('/ui/people') },
  { name: 'health', who: 'system_admin', show: at('/ui/health') },
  { name: 'rules', who: 'security_admin', show: at('/ui/rules') },
  { name: 'clients', who: 'social_admin', show: at('/ui/clients') },
  { name: 'alarms', who: 'platform_operator', show: at('/ui/alarms') },
  { name: 'audit', who: 'auditor', english: true, show: at('/ui/audit') },
  { name: 'event', who: 'auditor', show: follow('/ui/audit', 'td a[href^="/ui/audit/"]') },
  { name: 'access', who: 'auditor', show: at((hub) => `/ui/resources/${hub.population.id}/access`) },
]
