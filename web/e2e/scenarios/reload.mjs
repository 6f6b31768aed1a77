/* Pages are loaded again in mid-chat. */
import assert from 'node:assert/strict';
import { assertSame } from '../harness/transcript.mjs';
import { until } from '../harness/until.mjs';

async function bothPages(stage) {
    const server = await stage.server();
    const anna = await stage.agent(server.base, 'anna');
    await anna.goReady();
    const vera = await stage.visitor(server.base, 'Vera');
    const chat = await anna.accept('Vera');
    for (const turn of ['first', 'second']) {
        await vera.say(`${turn} question`);
        await anna.sees(`${turn} question`);
        await anna.say(`${turn} answer`);
        await vera.sees(`${turn} answer`);
    }
    await anna.part('composer').fill('A thought that is not fini');
    await vera.isSettled();
    await anna.isSettled();
    const [seen, shown] = [await vera.lines(), await anna.lines()];

    await vera.page.reload();
    await vera.isConnected();
    await until('the whole transcript is there again', async () => (await vera.lines()).length >= seen.length);
    assert.deepEqual(await vera.lines(), seen);

    await anna.page.reload();
    await anna.isConnected();
    await anna.isIn(chat);
    await until('the whole transcript is there again', async () => (await anna.lines()).length >= shown.length);
    const written = (lines) => lines.filter((line) => line.from !== 'system');
    assert.deepEqual(written(await anna.lines()), written(shown));
    assert.equal(await anna.part('composer').inputValue(), 'A thought that is not fini');
    await anna.hasPresence('Ready');

    await anna.part('composer').pressSequentially('shed');
    await anna.part('composer').press('Enter');
    await vera.sees('A thought that is not finished');
    await vera.say('third question');
    await anna.sees('third question');
    await vera.isSettled();
    await anna.isSettled();
    await assertSame(server, vera, anna, chat);
}

/* Both pages are loaded again while lines are under way from either side. */
async function whileWriting(stage) {
    const server = await stage.server();
    const anna = await stage.agent(server.base, 'anna');
    await anna.goReady();
    const vera = await stage.visitor(server.base, 'Vera');
    const chat = await anna.accept('Vera');
    for (let round = 1; round <= 3; round++) {
        await vera.say(`visitor, round ${round}`);
        await vera.page.reload();
        await anna.say(`agent, round ${round}`);
        await anna.page.reload();
    }
    await vera.sees('agent, round 3');
    await anna.sees('visitor, round 3');
    await vera.isSettled();
    await anna.isSettled();
    const events = await assertSame(server, vera, anna, chat);
    assert.equal(events.filter((event) => event.type === 'said').length, 6, 'every line once');
}

export const reload = [
    { name: 'reload: both pages show the whole transcript again', run: bothPages },
    { name: 'reload: while lines are under way', run: whileWriting },
];
