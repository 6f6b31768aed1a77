/* The network goes away in mid-chat, and comes back. */
import assert from 'node:assert/strict';
import { assertOnce, assertSame, visitorTranscript } from '../harness/transcript.mjs';
import { lasting, throughout } from '../harness/until.mjs';

const OUTAGE = 20_000;

// A connection that just falls silent is noticed when a held poll (20 s) is 10 s overdue; then it is
// made again. Twice that and more, for a slow machine.
const NOTICED = 120_000;

const TUNNEL = 'Written in the tunnel';
const LINES = ['You there?', 'I found your parcel.', 'It arrives tomorrow.'];

/* Two people in a chat, the visitor behind a network of his own. */
async function chatBehind(stage, options) {
    const server = await stage.server();
    const proxy = await stage.proxy(server);
    const anna = await stage.agent(server.base, 'anna');
    await anna.goReady();
    const vera = await stage.visitor(proxy.base, 'Vera', options);
    const chat = await anna.accept('Vera');
    await vera.say('Hello from the train');
    await anna.sees('Hello from the train');
    await anna.say('Hello Vera');
    await vera.sees('Hello Vera');
    await vera.isSettled();
    return { server, proxy, anna, vera, chat };
}

/* The outage, during which the agent writes three lines that do not reach the visitor. */
async function away(anna, vera, during = () => {}) {
    const over = lasting(OUTAGE);
    for (const line of LINES) await anna.say(line);
    await anna.isSettled();
    await during();
    await throughout('nothing reaches the visitor', 2_000, async () =>
        (await vera.lines()).every((line) => !LINES.includes(line.text)),
    );
    await over;
    assertOnce(await anna.said(), LINES, 'anna');
}

async function writeInTheTunnel(vera) {
    await vera.say(TUNNEL);
    assert.deepEqual(await vera.pending(), [TUNNEL]);
}

async function backAgain({ server, anna, vera, chat }, mine) {
    await vera.sees(LINES.at(-1), { timeout: NOTICED });
    await vera.isConnected();
    await vera.isSettled();
    if (mine) await anna.sees(mine);
    await vera.say('Here I am again');
    await anna.sees('Here I am again');
    await anna.say('Welcome back');
    await vera.sees('Welcome back');
    await vera.isSettled();
    await anna.isSettled();
    const texts = [...LINES, ...(mine ? [mine] : []), 'Here I am again', 'Welcome back'];
    assertOnce(await vera.said(), texts, 'Vera');
    const seen = (await vera.said()).map((line) => line.text).filter((text) => LINES.includes(text));
    assert.deepEqual(seen, LINES, 'in the order they were written');
    await assertSame(server, vera, anna, chat);
}

async function cut(stage) {
    const scene = await chatBehind(stage);
    const { proxy, anna, vera } = scene;
    proxy.cut();
    await vera.hasStatus('Reconnecting');
    await away(anna, vera, () => writeInTheTunnel(vera));
    proxy.mend();
    await backAgain(scene, TUNNEL);
}

async function halfOpen(stage) {
    const scene = await chatBehind(stage);
    const { proxy, anna, vera } = scene;
    proxy.swallow();
    await away(anna, vera, () => writeInTheTunnel(vera));
    proxy.mend();
    await backAgain(scene, TUNNEL);
}

async function browserOffline(stage, options) {
    const scene = await chatBehind(stage, options);
    const { anna, vera } = scene;
    await vera.page.context().setOffline(true);
    // A poll that was under way when the browser went offline may still bring its answer, so it is given one.
    await anna.say('Are you in the tunnel?');
    await vera.hasStatus('Reconnecting', { timeout: NOTICED });
    await away(anna, vera, () => writeInTheTunnel(vera));
    await vera.page.context().setOffline(false);
    await backAgain(scene, TUNNEL);
}

/* The agent writes and ends the chat while the visitor's network is away. */
async function endedMeanwhile(stage, breakIt) {
    const scene = await chatBehind(stage);
    const { server, proxy, anna, vera } = scene;
    const key = await vera.key();
    breakIt(proxy);
    await away(anna, vera, async () => {
        await anna.end();
        await anna.seesEnd();
    });
    proxy.mend();
    await vera.hasStatus('Chat ended', { timeout: NOTICED });
    assertOnce(await vera.said(), LINES, 'Vera');
    const seen = (await vera.said()).map((line) => line.text);
    assert.deepEqual(seen.slice(-LINES.length), LINES, 'in the order they were written');
    await vera.sees('Anna left');
    assert.equal(await vera.part('start').isVisible(), true, 'another chat can be started');
    await assertSame(server, vera, anna, scene.chat);

    const answer = await visitorTranscript(server, key);
    assert.equal(answer.statusCode, 0);
    assert.equal(answer.chatEnded, true);
    const messages = answer.messages.filter((event) => event.type === 'Message');
    assert.deepEqual(
        messages.map(({ index, text }) => ({ index, text })),
        await vera.said(),
    );
}

/* It is the agent's network this time. */
async function deskOutage(stage) {
    const server = await stage.server();
    const proxy = await stage.proxy(server);
    const anna = await stage.agent(proxy.base, 'anna');
    await anna.goReady();
    const vera = await stage.visitor(server.base, 'Vera');
    const chat = await anna.accept('Vera');
    await vera.say('Hello');
    await anna.sees('Hello');

    proxy.cut();
    await anna.part('offline-banner').waitFor();
    const over = lasting(OUTAGE);
    for (const line of LINES) await vera.say(line);
    await vera.isSettled();
    await anna.say('Written without a network');
    assert.deepEqual(await anna.pending(), ['Written without a network']);
    await throughout('nothing reaches the agent', 2_000, async () => (await anna.said()).length === 1);
    await over;
    proxy.mend();

    await vera.sees('Written without a network', { timeout: NOTICED });
    await anna.isSettled();
    assert.equal(await anna.part('offline-banner').count(), 0);
    assert.match(await anna.part('away-divider').textContent(), /3 messages while you were away/);
    await anna.hasPresence('Ready');
    assertOnce(await anna.said(), [...LINES, 'Written without a network'], 'anna');
    await assertSame(server, vera, anna, chat);
}

export const outage = [
    { name: "outage: the visitor's connection swallows everything", run: halfOpen },
    {
        name: 'outage: the agent ends the chat, the connection swallows everything',
        run: (stage) => endedMeanwhile(stage, (proxy) => proxy.swallow()),
    },
    { name: "outage: the visitor's connection is cut and refused", run: cut },
    {
        name: 'outage: the agent ends the chat, the connection is cut and refused',
        run: (stage) => endedMeanwhile(stage, (proxy) => proxy.cut()),
    },
    { name: "outage: the visitor's browser is offline, over WebSocket", run: (stage) => browserOffline(stage) },
    {
        name: "outage: the visitor's browser is offline, over long-polling",
        run: (stage) => browserOffline(stage, { websocket: false }),
    },
    { name: "outage: the agent's connection is cut and refused", run: deskOutage },
];
