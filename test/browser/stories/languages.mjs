// Chinese first, English one click away, and back.

export async function play(story) {
  const person = await story.person('statistics_operator', { own: true })
  const { page } = person
  const language = () => page.getAttribute('html', 'lang')
  story.check('the console is Chinese at first', await language(), 'zh-CN')
  await person.goto('/ui/grants')
  await page.click('button[name=language]')
  await page.waitForSelector('html[lang=en]')
  story.check('after the change of language the page is the same', person.path(), '/ui/grants')
  await person.shot('grants-en')
  await page.click('#sign-out')
  await page.waitForSelector('#sign-in')
  story.check('who signs out is asked in the same language to sign in', await language(), 'en')

  const elsewhere = await story.person('statistics_operator', { own: true })
  story.check('in another browser the person is spoken to as chosen', await elsewhere.page.getAttribute('html', 'lang'), 'en')
  await person.signIn()
  await page.click('button[name=language]')
  await page.waitForSelector('html[lang=zh-CN]')
  story.ok('and Chinese is one click away')
}
