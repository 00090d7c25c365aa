// The forms of a page, as stories tell them apart.

// inForms runs in pages: which form is which is told by where it leads and what it asks.
export const inForms = `
  window.formsHere = () => [...document.querySelectorAll('form:not([method=dialog])')].map((form) => {
    const names = [...new Set([...form.elements].map((e) => e.name).filter(Boolean))].join()
    const action = new URL(form.getAttribute('action') ?? '', location.href).pathname
    return { form, action, names, method: form.method, id: form.method + ' ' + action + ' ' + names }
  })`
const texts = 'textarea, input:not([type=hidden], [type=checkbox], [type=radio], [type=password], [type=file], [type=submit])'

// formsOf returns the forms of a page that one types text into.
export async function formsOf(page) {
  await page.evaluate(inForms)
  const forms = await page.evaluate((texts) => window.formsHere().map(({ form, action, names, method, id }) => ({
    id, action, names, method, texts: [...form.elements].some((e) => e.matches(texts) && !e.disabled),
  })), texts)
  return forms.filter((form) => form.texts)
}
