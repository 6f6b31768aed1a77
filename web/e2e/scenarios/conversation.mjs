/* Two people talk. */
import assert from 'node:assert/strict';
import { command, openDesk } from '../harness/bayeux.mjs';
import { until } from '../harness/until.mjs';
import { assertSame } from '../harness/transcript.mjs';

async function bothWays(stage) {
    const server = await stage.server();
    const anna = await stage.agent(server.base, 'anna');
    await anna.goReady();
    const vera = await stage.visitor(server.base, 'Vera', { subject: 'A parcel' });
    assert.equal(await vera.status(), 'Connected over websocket');
    const chat = await anna.accept('Vera');

    await vera.sees('Vera joined');
    await vera.sees('Anna joined');
    await anna.sees('Vera joined');

    await anna.part('composer').pressSequentially('Good morn');
    await until('Vera is told that Anna types', async () =>
        (await vera.part('typing').textContent()).includes('Anna is typing'),
    );
    await anna.part('composer').pressSequentially('ing, Vera');
    await anna.part('composer').press('Enter');
    const [greeting, own] = await Promise.all([
        vera.sees('Good morning, Vera'),
        until('Anna sees her own line', async () =>
            (await anna.lines()).find((line) => line.text === 'Good morning, Vera'),
        ),
    ]);
    assert.deepEqual({ ...greeting, from: 'agent' }, own, 'the same line at the same index');
    await until('the typing is over', async () => (await vera.part('typing').textContent()) === '');

    await vera.part('composer').pressSequentially('Where is my ');
    await until('Anna reads along', async () =>
        (await anna.part('typing-preview').locator('.bubble').textContent({ timeout: 2_000 })).startsWith('W'),
    );
    await vera.part('composer').pressSequentially('parcel?');
    await until(
        'Anna reads the rest along',
        async () =>
            (await anna.part('typing-preview').locator('.bubble').textContent({ timeout: 2_000 })) ===
            'Where is my parcel?',
    );
    await vera.part('composer').press('Enter');
    await anna.sees('Where is my parcel?');
    await until('the preview is gone', async () => (await anna.part('typing-preview').count()) === 0);

    // Text stays text, whatever it looks like.
    const odd = '<b onclick="alert(1)">bold</b> & "quoted" \u{1F69A} مرحبا https://example.com/a?b=c';
    await vera.say(odd);
    await anna.sees(odd);
    await anna.say(odd.toUpperCase());
    await vera.sees(odd.toUpperCase());
    await vera.isSettled();
    await anna.isSettled();

    const events = await assertSame(server, vera, anna, chat);
    assert.ok(
        events.every((event) => event.preview === undefined),
        'no preview is kept',
    );
    assert.equal(events[0].index, 1);
    assert.equal(events.filter((event) => event.type === 'said').length, 4);
}

async function overLongPolling(stage) {
    const server = await stage.server();
    const anna = await stage.agent(server.base, 'anna');
    await anna.goReady();
    const vera = await stage.visitor(server.base, 'Vera', { websocket: false });
    assert.equal(await vera.status(), 'Connected over long-polling');
    const chat = await anna.accept('Vera');
    for (const turn of ['first', 'second', 'third']) {
        await vera.say(`${turn} question`);
        await anna.sees(`${turn} question`);
        await anna.say(`${turn} answer`);
        await vera.sees(`${turn} answer`);
    }
    await vera.isSettled();
    await anna.isSettled();
    await assertSame(server, vera, anna, chat);
}

async function withTheEcho(stage) {
    const server = await stage.server();
    const vera = await stage.visitor(server.base, 'Vera', { service: 'echo' });
    await until('the echo agent greets', async () => (await vera.said()).length > 0);
    await vera.say('is anybody there?');
    await vera.sees('echo: is anybody there?');
}

const MANY = 2_000;

/* A chat of very many lines keeps the page small; the reader can go back to the first line and stays where he reads. */
async function veryLong(stage) {
    const server = await stage.server();
    const anna = await stage.agent(server.base, 'anna');
    await anna.goReady();
    const vera = await stage.newVisitor('Vera');
    await vera.load(`${server.base}/sample/`);
    await vera.start();
    const chat = await anna.accept('Vera');
    const desk = await openDesk(server.base, await anna.cookie());
    const lines = Array.from({ length: MANY - 1 }, (_, i) => i + 1);
    const orders = lines.map((i) => ({ op: 'say', id: `many-${i}`, chat, text: `line ${i}` }));
    while (orders.length > 0) await desk.publish(...orders.splice(0, 20));
    await command(desk, { op: 'say', chat, text: `line ${MANY}` });
    await desk.close();
    await anna.sees(`line ${MANY}`);

    const count = () => anna.part('message').count();
    assert.ok((await count()) <= 401, `${await count()} rows while the newest line is in view`);
    await anna.page.reload();
    await anna.isConnected();
    await anna.isIn(chat);
    await anna.sees(`line ${MANY}`);
    assert.ok((await count()) <= 200, `${await count()} rows after a reload`);

    const log = anna.part('log');
    const top = () => log.evaluate((frame) => frame.scrollTop);
    const first = (to) => log.evaluate((frame, to) => {
        if (to !== undefined) frame.scrollTop = to;
        const edge = frame.getBoundingClientRect().top;
        const row = [...frame.querySelectorAll('[data-index]')].find((one) => one.getBoundingClientRect().top >= edge);
        return { text: row.textContent, at: Math.round(row.getBoundingClientRect().top - edge) };
    }, to);
    // By keyboard: the button, and the log has the focus afterwards.
    const before = await count();
    await anna.part('earlier').focus();
    await anna.page.keyboard.press('Enter');
    await until('earlier lines are there', async () => (await count()) > before);
    assert.equal(await log.evaluate((frame) => document.activeElement === frame), true);

    // By scrolling: what is in view stays where it is, while earlier lines come in above and new ones below.
    const shown = await count();
    const reading = await first(150);
    await until('more lines come in above', async () => (await count()) > shown);
    await vera.say('one more');
    await until('the new line is told of', () => anna.part('new-messages').isVisible());
    assert.deepEqual(await first(), reading);
    assert.ok((await top()) > 150);

    await until('all earlier lines are there', async () => {
        await log.evaluate((frame) => (frame.scrollTop = 0));
        return (await anna.part('earlier').count()) === 0;
    });
    await anna.sees('line 1');
    await anna.part('new-messages').click();
    await until('the page is small again', async () => {
        await vera.say('and another');
        return (await count()) <= 401;
    });
}

export const conversation = [
    { name: 'conversation: both ways, with joining and typing', run: bothWays },
    { name: 'conversation: over long-polling', run: overLongPolling },
    { name: 'conversation: with the echo agent', run: withTheEcho },
    { name: 'conversation: very long', run: veryLong },
];
