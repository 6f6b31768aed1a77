/*
 * A page that has forgotten its chat is told the key in the handshake, because its browser is known.
 * A page of somebody else's, in the same browser, is never told.
 */
import assert from 'node:assert/strict';
import http from 'node:http';
import { assertSame } from '../harness/transcript.mjs';
import { until } from '../harness/until.mjs';

const HANDSHAKE = [
    {
        id: '1',
        channel: '/meta/handshake',
        version: '1.0',
        supportedConnectionTypes: ['websocket', 'long-polling', 'callback-polling'],
    },
];

async function freshTab(stage) {
    const server = await stage.server();
    const anna = await stage.agent(server.base, 'anna');
    await anna.goReady();
    const context = await stage.context();
    const before = await stage.newVisitor('Vera', context);
    await before.load(`${server.base}/sample/`);
    await before.start();
    const chat = await anna.accept('Vera');
    await before.say('I am about to close this tab');
    await anna.sees('I am about to close this tab');
    await before.isSettled();
    await before.page.close();
    await anna.say('Take your time');

    const vera = await stage.newVisitor('Vera', context);
    await vera.load(`${server.base}/sample/`);
    assert.equal(await vera.key(), '', 'the new tab knows nothing');
    await vera.start();
    assert.equal(await vera.status(), 'Connected over websocket');
    await vera.sees('I am about to close this tab');
    await vera.sees('Take your time');
    await vera.say('Here I am');
    await anna.sees('Here I am');
    await vera.isSettled();
    await anna.isSettled();
    assert.equal(await anna.part('offer').count(), 0, 'no second chat is opened');
    await assertSame(server, vera, anna, chat);
}

/* Shakes hands from within a page in every way that a page has; returns all that it was told, as text. */
function shakeHands([url, message]) {
    const body = JSON.stringify(message);
    const overWebSocket = new Promise((resolve) => {
        const socket = new WebSocket(url.replace(/^http/, 'ws'));
        socket.onopen = () => socket.send(body);
        socket.onmessage = (event) => resolve(`websocket ${event.data}`);
        socket.onclose = (event) => resolve(`websocket closed ${event.code}`);
    });
    const overFetch = (mode, type) =>
        fetch(url, { method: 'POST', mode, credentials: 'include', headers: { 'Content-Type': type }, body })
            .then(async (answer) => `fetch ${mode} ${await answer.text()}`)
            .catch((error) => `fetch ${mode} ${error.message}`);
    const overScript = new Promise((resolve) => {
        globalThis.told = (messages) => resolve(`script ${JSON.stringify(messages)}`);
        const script = document.createElement('script');
        script.src = `${url}?jsonp=told&message=${encodeURIComponent(body)}`;
        script.onerror = () => resolve('script refused');
        document.head.append(script);
    });
    return Promise.all([
        overWebSocket,
        overFetch('cors', 'application/json'),
        overFetch('no-cors', 'text/plain'),
        overScript,
    ]);
}

async function hostilePages(stage, service) {
    const server = await stage.server();
    const context = await stage.context();
    const vera = await stage.newVisitor('Vera', context);
    await vera.load(`${server.base}/sample/`, { service });
    await vera.start();
    const key = await vera.key();
    assert.ok(key.length > 20);
    const target = [`${server.base}/genesys/cometd`, HANDSHAKE];

    // Our own page is told: the browser sends its cookie, and the question is the right one.
    const [own] = await vera.page.evaluate(shakeHands, target);
    assert.ok(own.includes(key), `our own page is told the key, and not just ${own}`);

    const hostile = await serveHostile();
    try {
        const page = await context.newPage();
        await page.goto(`http://127.0.0.1:${hostile.port}/`);
        const frame = await until('the frame without an origin is loaded', () =>
            page.frames().find((one) => one !== page.mainFrame() && one.url().endsWith('/frame')),
        );
        assert.equal(await frame.evaluate(() => self.origin), 'null');
        for (const where of [page.mainFrame(), frame]) {
            const told = await where.evaluate(shakeHands, target);
            const answered = told.filter((one) => one.includes('clientId'));
            assert.ok(answered.length > 0, `the server does answer: ${told.join('\n')}`);
            for (const one of told) {
                assert.ok(!one.includes(key), `${where.url()} was told the key: ${one}`);
                assert.ok(!one.includes('secureKey'), `${where.url()} was told of a key: ${one}`);
            }
        }
    } finally {
        await hostile.stop();
    }
}

/* Somebody else's site: another origin of the same site, so that cookies are sent from it too. */
async function serveHostile() {
    const server = http.createServer((request, response) => {
        const frame = '<iframe sandbox="allow-scripts" src="/frame"></iframe>';
        response.setHeader('Content-Type', 'text/html');
        response.end(`<!doctype html><title>Win a prize</title>${request.url === '/' ? frame : ''}`);
    });
    await new Promise((done) => server.listen(0, '127.0.0.1', done));
    return {
        port: server.address().port,
        stop: () => {
            server.closeAllConnections();
            return new Promise((done) => server.close(done));
        },
    };
}

export const restore = [
    { name: "restore: a fresh tab finds the chat by the handshake's key", run: freshTab },
    {
        name: 'restore: a hostile page is not told the key of a chat for our own pages',
        run: (stage) => hostilePages(stage, 'customer-support'),
    },
    {
        name: 'restore: a hostile page is not told the key of a chat for pages from anywhere',
        run: (stage) => hostilePages(stage, 'echo'),
    },
];
