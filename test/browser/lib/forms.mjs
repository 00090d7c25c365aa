// The forms of a page, as stories tell them apart.

// inForms runs in pages: which form is which is told by where it leads and what it asks.
export const inForms = `
  window.formsHere = (doc = document, address = '') => [...doc.querySelectorAll('form:not([method=dialog])')].map((form) => {
    const names = [...new Set([...form.elements].map((e) => e.name).filter(Boolean))].join()
    const action = new URL(form.getAttribute('action') ?? '', new URL(address, location.href)).pathname
    return { form, action, names, method: form.method, id: form.method + ' ' + action + ' ' + names }
  })`
const texts = 'textarea, input:not([type=hidden], [type=checkbox], [type=radio], [type=password], [type=file], [type=submit])'

// formsOf returns the forms that one types text into, of the page or of the text of another; kept says under which name a form
// promises to keep what was typed.
export async function formsOf(page, address, html) {
  await page.evaluate(inForms)
  const forms = await page.evaluate(({ texts, address, html }) => {
    const doc = html === undefined ? document : new DOMParser().parseFromString(html, 'text/html')
    return window.formsHere(doc, address).map(({ form, action, names, method, id }) => ({
      id, action, names, method, kept: form.dataset.keep, texts: [...form.elements].some((e) => e.matches(texts) && !e.disabled),
    }))
  }, { texts, address, html })
  return forms.filter((form) => form.texts || form.kept)
}
