// SPDX-License-Identifier: MIT
// Opens /stats.html in Chromium while the server is busy; prints what the page shows as JSON, and saves pictures of it.
//
//   node watch_stats.mjs <directory with playwright-core> <chromium> <directory for a profile> <address> <pictures>

import { createRequire } from 'node:module';

const [tools, program, profile, address, pictures] = process.argv.slice(2);
const { chromium } = createRequire(`${tools}/`)('playwright-core');

const looks = 6;
const patience = 120_000;  // milliseconds, for a slow machine
const switches = [
    '--headless', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', '--no-proxy-server',
    '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
];
const seen = { complaints: [], elsewhere: [], pages: [] };

const context = await chromium.launchPersistentContext(profile, {
    executablePath: program,
    args: switches,
    chromiumSandbox: false,
});
context.setDefaultTimeout(patience);

async function watch(name, width, height, colorScheme) {
    const page = await context.newPage();
    page.on('console', (said) => { if (['error', 'warning'].includes(said.type())) seen.complaints.push(said.text()); });
    page.on('pageerror', (error) => seen.complaints.push(error.stack));
    page.on('requestfinished', (request) => {
        if (!/\/stats\.(html|json)$/.test(request.url())) seen.elsewhere.push(request.url());
    });
    await page.setViewportSize({ width, height });
    await page.emulateMedia({ colorScheme });
    await page.goto(address, { waitUntil: 'load' });
    const looked = (n) => page.waitForFunction((n) => Number(document.documentElement.dataset.looks ?? 0) >= n, n);
    const shows = (what, least) => page.locator(what).nth(least - 1).waitFor({ state: 'attached' });
    await looked(2);
    const first = await page.evaluate(() => document.getElementById('now').textContent);
    await looked(looks);
    await page.waitForFunction((first) => document.getElementById('now').textContent !== first, first);
    await shows('svg:visible .flow[visibility=visible]', 6);
    await shows('#kept tbody tr', 6);
    await page.waitForFunction(() => Number(document.querySelector('#programs [data-in=Started]')?.textContent) > 0);
    await page.locator('svg:visible .node').nth(8).click();  // the static farm
    seen.pages.push({
        name,
        programs: await page.locator('#programs').innerText(),
        told: await page.locator('#told').textContent(),
        wider: await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth),
    });
    await page.screenshot({ path: `${pictures}/stats-${name}.png`, fullPage: true });
    await page.close();
}

try {
    await watch('wide', 1280, 900, 'light');
    await watch('dark', 1280, 900, 'dark');
    await watch('phone', 360, 740, 'light');
} finally {
    await context.close();
}
console.log(JSON.stringify(seen));
