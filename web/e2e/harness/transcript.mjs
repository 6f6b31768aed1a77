/* Transcripts: as the server holds them, and whether two viewers have the same one. */
import assert from 'node:assert/strict';
import { Bayeux, command, openDesk } from './bayeux.mjs';

/** The events of a chat as the server gives them to an agent who is or was in it. */
export async function transcript(server, agent, chat) {
    const desk = await openDesk(server.base, await agent.cookie());
    try {
        return (await command(desk, { op: 'open', chat }, 'transcript')).events;
    } finally {
        await desk.close();
    }
}

/** What a visitor with the key of a chat is given: the whole response object to requestNotifications. */
export async function visitorTranscript(server, key, service = 'customer-support') {
    const visitor = await Bayeux.open(`${server.base}/genesys/cometd`, `/service/chatV2/${service}`);
    try {
        await visitor.publish({
            operation: 'requestNotifications',
            secureKey: key,
            transcriptPosition: 1,
            message: '',
        });
        return await visitor.first('the answer to requestNotifications', () => true);
    } finally {
        await visitor.close();
    }
}

/** The lines of a transcript of the server's: {index, text}. */
export function saidIn(events) {
    return events.filter((event) => event.type === 'said').map(({ index, text }) => ({ index, text }));
}

/** Fails unless indexes rise strictly. */
export function assertRising(lines, whose) {
    for (let i = 1; i < lines.length; i++) {
        assert.ok(lines[i - 1].index < lines[i].index, `${whose}: line ${i + 1} is out of order or doubled`);
    }
}

/**
 * Fails unless visitor, agent and server hold the same transcript of a chat: every line with the same
 * index and text in the same order, and for both viewers the same people joined and left. Returns the
 * server's events.
 */
export async function assertSame(server, visitor, agent, chat) {
    const events = await transcript(server, agent, chat);
    const [seen, shown] = [await visitor.lines(), await agent.lines()];
    assertRising(events, 'the server');
    assertRising(seen, visitor.name);
    assertRising(shown, agent.login);
    assert.deepEqual(written(seen), saidIn(events), `${visitor.name} and the server`);
    assert.deepEqual(written(shown), saidIn(events), `${agent.login} and the server`);

    const facts = (lines) => lines.filter((line) => line.from === 'system').map((line) => line.index);
    const indexes = (rule) => events.filter(rule).map((event) => event.index);
    const moves = indexes(({ type }) => type === 'joined' || type === 'left');
    assert.deepEqual(facts(seen), moves, `${visitor.name} and the server: who joined and left`);
    // Of somebody who leaves to end the chat, the desk tells by the line about the end.
    const told = indexes(
        ({ type, reason }) => type === 'joined' || type === 'ended' || (type === 'left' && reason !== 'end'),
    );
    const untold = told.filter((index) => !facts(shown).includes(index));
    assert.deepEqual(untold, [], `${agent.login} and the server: who joined and left`);
    return events;
}

const written = (lines) => lines.filter((line) => line.from !== 'system').map(({ index, text }) => ({ index, text }));

/** Fails unless every one of these texts stands in the lines exactly once. */
export function assertOnce(lines, texts, whose) {
    for (const text of texts) {
        const count = lines.filter((line) => line.text === text).length;
        assert.equal(count, 1, `${whose} has "${text}" ${count} times`);
    }
}
