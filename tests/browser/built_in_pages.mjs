// SPDX-License-Identifier: MIT
// Opens pages in Chromium that the server generates; prints as JSON the errors, the requests, and whether the style
// sheets apply.
//
//   node built_in_pages.mjs <directory with playwright-core> <chromium> <directory for a profile> <address>...

import { createRequire } from 'node:module';

const [tools, program, profile, ...addresses] = process.argv.slice(2);
const { chromium } = createRequire(`${tools}/`)('playwright-core');

const switches = [
    '--headless', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', '--no-proxy-server',
    '--host-resolver-rules=MAP *.example 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost',
];
const seen = [];

const context = await chromium.launchPersistentContext(profile, {
    executablePath: program,
    args: switches,
    chromiumSandbox: false,
});
context.setDefaultTimeout(120_000);  // milliseconds, for a slow machine
try {
    for (const address of addresses) {
        const page = await context.newPage();
        const here = { address, said: [], requests: [] };
        page.on('console', (said) => here.said.push(said.text()));
        page.on('pageerror', (error) => here.said.push(error.stack));
        page.on('request', (request) => here.requests.push(request.url()));
        here.status = (await page.goto(address, { waitUntil: 'load' })).status();
        // The style sheets of all these pages define colours on the root.
        here.styled = await page.evaluate(
            () => getComputedStyle(document.documentElement).getPropertyValue('--accent') !== '');
        await page.close();
        seen.push(here);
    }
} finally {
    await context.close();
}
console.log(JSON.stringify(seen));
