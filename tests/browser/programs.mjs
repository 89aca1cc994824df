// SPDX-License-Identifier: MIT
// Opens the page of programs in Chromium, watches its frames, and sends its forms; prints what it sees as JSON.
//
//   node programs.mjs <directory with playwright-core> <chromium> <directory for a profile> <address> <file to upload>

import { createRequire } from 'node:module';

const [tools, program, profile, address, file] = process.argv.slice(2);
const { chromium } = createRequire(`${tools}/`)('playwright-core');

const switches = [
    '--headless', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', '--no-proxy-server',
    '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
];
const seen = { complaints: [] };

const context = await chromium.launchPersistentContext(profile, {
    executablePath: program,
    args: switches,
    chromiumSandbox: false,
});
context.setDefaultTimeout(120_000);  // milliseconds, for a slow machine

// Opens the page anew, does something there that leads to another page, and returns the text of that.
async function after(act) {
    const page = await context.newPage();
    page.on('console', (said) => { if (['error', 'warning'].includes(said.type())) seen.complaints.push(said.text()); });
    page.on('pageerror', (error) => seen.complaints.push(error.stack));
    await page.goto(address, { waitUntil: 'domcontentloaded' });
    await Promise.all([page.waitForURL((url) => url.pathname.startsWith('/cgi-bin/')), act(page)]);
    const text = await page.locator('main').innerText();
    await page.close();
    return text;
}

async function frames() {
    const page = await context.newPage();
    await page.goto(address, { waitUntil: 'domcontentloaded' });
    const frame = async (title) => {
        await page.locator(`iframe[title="${title}"]`).scrollIntoViewIfNeeded();  // it is loaded when it is seen
        return page.frameLocator(`iframe[title="${title}"]`).locator('body');
    };
    seen.clock = await twoLooks(page, await frame('Ten lines, one a second'));
    seen.counter = await (await frame('The counter')).locator('p').innerText();
    seen.hello = await (await frame('Hello from a program in C')).locator('p').innerText();
    await page.close();
}

// Returns how many lines the clock has had at two moments of one run. A slow machine may miss a run, so it is repeated.
async function twoLooks(page, clock) {
    for (;;) {
        await clock.getByText(':').waitFor();
        const first = await clock.innerText();
        while (!first.includes('stopped')) {
            const second = await clock.innerText();
            if (second !== first) return [first, second].map((text) => text.trim().split('\n').length);
            await page.waitForTimeout(100);
        }
        await page.getByText('Start it again').click();
        while (await clock.innerText() === first) await page.waitForTimeout(100);
    }
}

try {
    await frames();
    seen.get = await after((page) => page.getByRole('button', { name: 'Send by GET' }).click());
    seen.post = await after((page) => page.getByRole('button', { name: 'Send by POST' }).click());
    seen.upload = await after(async (page) => {
        await page.locator('input[type=file]').setInputFiles(file);
        await page.getByRole('button', { name: 'Upload' }).click();
    });
} finally {
    await context.close();
}
console.log(JSON.stringify(seen));
