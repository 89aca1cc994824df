// SPDX-License-Identifier: MIT
// Opens a page in Chromium and follows links from page to page, by their texts; prints as JSON what each page shows.
//
//   node follow.mjs <directory with playwright-core> <chromium> <directory for a profile> <address> <text of a link>...

import { createRequire } from 'node:module';

const [tools, program, profile, start, ...links] = process.argv.slice(2);
const { chromium } = createRequire(`${tools}/`)('playwright-core');

const switches = [
    '--headless', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', '--no-proxy-server',
    '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',  // nothing but the server under test
];

const seen = { pages: [], complaints: [], answers: [] };

const context = await chromium.launchPersistentContext(profile, {
    executablePath: program,
    args: switches,
    chromiumSandbox: false,
});
context.setDefaultTimeout(120_000);  // milliseconds, for a slow machine
try {
    const page = await context.newPage();
    page.on('console', (said) => seen.complaints.push(`${page.url()}: ${said.text()}`));
    page.on('pageerror', (error) => seen.complaints.push(`${page.url()}: ${error.stack}`));
    page.on('requestfailed', (request) => seen.complaints.push(`${request.url()}: ${request.failure().errorText}`));
    page.on('response', (response) => seen.answers.push([
        response.request().resourceType(), response.status(), response.headers()['content-type']]));
    const look = async () => seen.pages.push({
        address: page.url(), title: await page.title(), text: await page.innerText('body'),
        font: await page.evaluate(() => getComputedStyle(document.querySelector('#cgit') ?? document.body).fontFamily),
        images: await page.evaluate(
            () => [...document.images].every((image) => image.complete && image.naturalWidth > 0)),
    });
    await page.goto(start, { waitUntil: 'load' });
    await look();
    for (const text of links) {
        const link = page.getByRole('link', { name: text, exact: true }).first();
        if (!await link.count()) throw new Error(`no link "${text}" on ${page.url()}: ${await page.content()}`);
        await link.click();
        await page.waitForLoadState('load');
        await look();
    }
} finally {
    await context.close();
}
console.log(JSON.stringify(seen));
