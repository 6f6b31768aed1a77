/* Who gets a chat. */
import assert from 'node:assert/strict';
import { transcript } from '../harness/transcript.mjs';
import { throughout, until } from '../harness/until.mjs';

/* Anna is ready before Ben, so she is the one who is asked first. */
async function annaThenBen(stage, server) {
    const anna = await stage.agent(server.base, 'anna');
    const ben = await stage.agent(server.base, 'ben');
    await anna.goReady();
    await ben.goReady();
    return { anna, ben };
}

const routing = (events) =>
    events
        .filter((event) => ['offered', 'declined', 'missed', 'accepted'].includes(event.type))
        .map((event) => event.type);

const asked = (events) => events.filter((event) => event.type === 'offered').map((event) => event.agent);

async function declined(stage) {
    const server = await stage.server();
    const { anna, ben } = await annaThenBen(stage, server);
    const vera = await stage.visitor(server.base, 'Vera');
    const card = await anna.isOffered('Vera');
    assert.equal(await ben.part('offer').count(), 0, 'one agent is asked at a time');
    await card.locator('[data-test="offer-decline"]').click();

    const other = await ben.isOffered('Vera');
    await anna.hasPresence('Ready');
    // Ben declines too. The chat waits now, and neither is asked again although both are ready.
    await other.locator('[data-test="offer-decline"]').click();
    await until('the chat waits', async () => (await ben.part('offer').count()) === 0);
    await throughout('nobody is asked again', 3_000, async () => {
        const cards = (await anna.part('offer').count()) + (await ben.part('offer').count());
        return cards === 0;
    });
    assert.equal(await vera.status(), 'Connected over websocket');
    assert.equal((await vera.lines()).length, 1, 'the visitor sees nothing of this');

    // It was about this chat only.
    await stage.visitor(server.base, 'Walter');
    const chat = await anna.accept('Walter');
    assert.deepEqual(routing(await transcript(server, anna, chat)), ['offered', 'accepted']);
}

async function declinedOnce(stage) {
    const server = await stage.server();
    const { anna, ben } = await annaThenBen(stage, server);
    const vera = await stage.visitor(server.base, 'Vera');
    const card = await anna.isOffered('Vera');
    await card.locator('[data-test="offer-decline"]').click();
    const chat = await ben.accept('Vera');
    await vera.sees('Ben joined');
    const events = await transcript(server, ben, chat);
    assert.deepEqual(routing(events), ['offered', 'declined', 'offered', 'accepted']);
    assert.equal(new Set(asked(events)).size, 2, 'another agent was asked');
    assert.ok(
        events.filter((event) => event.type === 'offered').every((event) => event.reason),
        'with a reason',
    );
}

async function timedOut(stage) {
    const server = await stage.server({ offer: '8s' });
    const { anna, ben } = await annaThenBen(stage, server);
    const vera = await stage.visitor(server.base, 'Vera');
    await anna.isOffered('Vera');
    const chat = await ben.accept('Vera');
    await vera.sees('Ben joined');

    await anna.hasPresence('Not responding');
    assert.equal(await anna.part('offer').count(), 0);
    assert.match(await anna.part('missed-banner').textContent(), /Not responding/);
    await stage.visitor(server.base, 'Walter');
    await ben.isOffered('Walter');
    assert.equal(await anna.part('offer').count(), 0, 'who does not respond is not asked');

    await anna.part('return').click();
    await anna.hasPresence('Ready');
    await until('the banner is gone', async () => (await anna.part('missed-banner').count()) === 0);
    // Ben lets this one pass; it is Anna's turn again.
    await anna.accept('Walter');
    await ben.hasPresence('Not responding');
    const events = await transcript(server, ben, chat);
    assert.deepEqual(routing(events), ['offered', 'missed', 'offered', 'accepted']);
    assert.equal(new Set(asked(events)).size, 2);
}

export const offer = [
    { name: 'offer: a declined chat goes to the other agent', run: declinedOnce },
    { name: 'offer: a chat that both declined comes back to neither', run: declined },
    { name: 'offer: one that is not answered goes to the next agent', run: timedOut },
];
