/*
 * The sample page, twice, in a browser: what `make record` records of it. HALLEY_URL is where the page
 * is; nothing else than the page decides what is said to the server.
 */
import { chromium } from 'playwright-core';
import { until } from './harness/until.mjs';
import { Visitor } from './harness/visitor.mjs';

const browser = await chromium.launch({
    executablePath: process.env.E2E_CHROMIUM || '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'],
});
try {
    await Promise.all([chat(true), chat(false)]);
} finally {
    await browser.close();
}

async function chat(websocket) {
    const context = await browser.newContext();
    const vera = new Visitor({ secret() {} }, await context.newPage(), 'Vera');
    await vera.load(`${process.env.HALLEY_URL}/sample/`, { service: 'echo', subject: 'A parcel', websocket });
    await vera.start();
    await until('the echo agent greets', async () => (await vera.said()).length > 0);
    await vera.part('composer').pressSequentially('Where is my ');
    await vera.part('composer').pressSequentially('parcel?');
    await vera.part('composer').press('Enter');
    await vera.sees('echo: Where is my parcel?');
    await vera.page.reload();
    await vera.isConnected();
    await vera.sees('echo: Where is my parcel?');
    await vera.say('A second line.');
    await vera.sees('echo: A second line.');
    await vera.isSettled();
    await vera.end();
    await until('the chat is over', async () => (await vera.part('composer').count()) === 0);
    await context.close();
}
