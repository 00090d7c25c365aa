// What the form of requests does besides showing.
(() => {
  'use strict'
  const set = (field, value) => {
    field.value = value
    for (const kind of ['input', 'change']) field.dispatchEvent(new Event(kind, { bubbles: true }))
  }
  // data-set on a button puts data-value into the field that it names.
  document.addEventListener('click', (e) => {
    const button = e.target.closest('[data-set]')
    if (button) set(document.querySelector(button.dataset.set), button.dataset.value)
  })
  // data-fill on a select: each choice fills the fields that its data-values name.
  document.addEventListener('change', (e) => {
    const choice = e.target.closest('[data-fill]')?.selectedOptions[0]?.dataset.values
    if (choice) for (const [id, value] of Object.entries(JSON.parse(choice))) set(document.getElementById(id), value)
  })
})()
