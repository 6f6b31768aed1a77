/* Two people talk. */
import assert from 'node:assert/strict';
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

export const conversation = [
    { name: 'conversation: both ways, with joining and typing', run: bothWays },
    { name: 'conversation: over long-polling', run: overLongPolling },
    { name: 'conversation: with the echo agent', run: withTheEcho },
];
