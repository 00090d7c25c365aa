// The hub's API, for what must be there before a page is looked at.

// callers returns a function that calls as an account: call(name, method, path, body).
export function callers(hub) {
  const tokens = new Map()
  const send = async (method, path, body, token) => {
    const answer = await fetch(hub.demo.api_url + path, {
      method,
      headers: { 'Content-Type': 'application/json', ...(token && { Authorization: `Bearer ${token}` }) },
      body: body && JSON.stringify(body),
    })
    const text = await answer.text()
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`)
    return text && JSON.parse(text)
  }
  return async (name, method, path, body) => {
    if (!tokens.has(name)) {
      const { username, password } = hub.demo.users[name]
      tokens.set(name, (await send('POST', '/sessions', { username, password })).token)
    }
    return send(method, path, body, tokens.get(name))
  }
}

// asked makes a request of a department and takes it some steps on its way: submit, sign, accept.
export async function asked(call, hub, department, resource, terms, steps = []) {
  const client = hub.clientOf(`${department}_operator`)
  const request = await call(`${department}_operator`, 'POST', '/requests', {
    client_id: client.id, resource_id: hub.resource(resource).id,
    items: [], lookup: [], unmask: [], share_methods: ['api'],
    valid_until: new Date(Date.now() + 300 * 24 * 3600 * 1000).toISOString(),
    legal_basis: '', scenario: '', purpose: '', purpose_text: '', case_required: false, quota: 0, quota_period: '', rate_calls: 0, rate_rows: 0,
    ...terms,
  })
  const who = { submit: `${department}_operator`, sign: `${department}_admin`, accept: 'platform_operator' }
  for (const step of steps) await call(who[step], 'POST', `/requests/${request.id}/${step}`)
  return request
}
