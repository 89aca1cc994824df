// SPDX-License-Identifier: MIT
// Loads a page in Chromium, and all pages of the same server that it links to; prints the result as JSON.
//
//   node visit.mjs <directory with playwright-core> <chromium> <directory for a profile> <address>

import { createRequire } from 'node:module';

const [tools, program, profile, start] = process.argv.slice(2);
const { chromium } = createRequire(`${tools}/`)('playwright-core');

const tabs = 4;
const switches = [
    '--headless', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', '--no-proxy-server',
    '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',  // nothing but the server under test
];

const seen = { pages: 0, requests: {}, complaints: [] };

function watch(page) {
    const complain = (what) => seen.complaints.push(`${page.url()}: ${what}`);
    page.on('console', (said) => { if (['error', 'warning'].includes(said.type())) complain(said.text()); });
    page.on('pageerror', (error) => complain(error.stack));
    page.on('requestfailed', (request) => complain(`${request.url()}: ${request.failure().errorText}`));
    page.on('response', (response) => {
        if (response.status() >= 400) complain(`${response.url()}: ${response.status()}`);
    });
    page.on('requestfinished', (request) => {
        seen.requests[request.resourceType()] = (seen.requests[request.resourceType()] ?? 0) + 1;
    });
}

// Returns the URLs that the page links to.
async function visit(page, address) {
    await page.goto(address, { waitUntil: 'load' });
    // A page sets a mark when its scripts have run, its fonts are loaded and its fetches are complete.
    await page.waitForFunction(() => document.documentElement.dataset.ready === 'yes');
    ++seen.pages;
    return page.evaluate(() => {
        if (![...document.images].every((image) => image.complete && image.naturalWidth > 0))
            console.error('an image is broken');
        return [...document.links].map((link) => link.href.split('#')[0]);
    });
}

async function crawl(context) {
    const known = new Set([start]);
    const waiting = [start];
    let busy = 0;
    async function tab() {
        const page = await context.newPage();
        watch(page);
        while (waiting.length > 0 || busy > 0) {
            const address = waiting.shift();
            if (address === undefined) {
                await page.waitForTimeout(10);
                continue;
            }
            ++busy;
            for (const link of await visit(page, address)) {
                if (known.has(link) || !link.startsWith(start)) continue;
                known.add(link);
                waiting.push(link);
            }
            --busy;
        }
        await page.close();
    }
    await Promise.all(Array.from({ length: tabs }, tab));
}

// What the script of a page may request besides pages.
async function other_methods(context) {
    const page = await context.newPage();
    await page.goto(start);
    return page.evaluate(async () => {
        const body = 'x'.repeat(100_000);
        const asked = [
            ['/', { method: 'HEAD' }], ['/', { method: 'OPTIONS' }], ['/', { method: 'POST', body }],
            ['/', { method: 'PUT', body }], ['/', { method: 'DELETE' }], ['/', { method: 'BREW' }], ['/none', {}],
            ['/', {}],
        ];
        const answers = [];
        for (const [target, options] of asked) answers.push((await fetch(target, options)).status);
        return answers;
    });
}

const context = await chromium.launchPersistentContext(profile, {
    executablePath: program,
    args: switches,
    chromiumSandbox: false,
});
context.setDefaultTimeout(120_000);  // milliseconds, for a slow machine
try {
    await crawl(context);
    seen.methods = await other_methods(context);
} finally {
    await context.close();
}
console.log(JSON.stringify(seen));
