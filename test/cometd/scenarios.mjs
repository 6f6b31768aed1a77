import assert from 'node:assert/strict';
import {describe, test} from 'node:test';
import {Breaker} from './breaker.mjs';
import {Visitor} from './visitor.mjs';

/** Milliseconds after which a test hangs. Conditions are given up before. */
const TIMEOUT = 180000;

/** Declares the tests of one version of the library; CometD is its client class. */
export function declare(version, CometD) {
    const server = (process.env.HALLEY_URL || '').replace(/\/$/, '');
    if (server === '') {
        test(version, () => assert.fail(
            'HALLEY_URL is missing: start Halley and name its address, for example HALLEY_URL=http://127.0.0.1:18080 npm test'));
        return;
    }
    describe(version, {concurrency: true}, () => {
        for (const transport of ['websocket', 'long-polling', 'callback-polling']) {
            describe(transport, {concurrency: 1}, () => {
                const visitor = (name, address = server) => new Visitor(CometD, address, transport, `${version} ${transport} ${name}`);
                test('talks with only a listener', {timeout: TIMEOUT}, () => using([visitor('visitor')], talk));
                test('talks after subscribing', {timeout: TIMEOUT}, () => using([visitor('subscriber')], talkSubscribed));
                test('is not told a key by a handshake', {timeout: TIMEOUT}, () => using([visitor('one tab'), visitor('another tab')], tellNoKey));
                test('comes back after a cut', {timeout: TIMEOUT}, async (t) => {
                    const breaker = await Breaker.start(server);
                    t.after(() => breaker.stop());
                    await using([visitor('first', breaker.url), visitor('second')], (first, second) => comeBack(first, second, breaker));
                });
            });
        }
    });
}

/** Plays a scenario with some visitors, closes them in any case, and reports what was wrong with any notification. */
async function using(visitors, scenario) {
    try {
        await scenario(...visitors);
    } finally {
        await Promise.all(visitors.map((visitor) => visitor.close()));
    }
    assert.deepEqual(visitors.flatMap((visitor) => visitor.faults), []);
}

async function talk(visitor) {
    visitor.listen();
    await visitor.connect();
    await visitor.requestChat();

    const entries = visitor.journal.entries;
    // Behind a proxy, the answers to two HTTP requests may overtake each other, and scripts always may: each runs when it has ended.
    if (visitor.transport === 'websocket' || visitor.transport === 'long-polling' && !process.env.HALLEY_PROXIED) {
        const notified = entries.findIndex((entry) => entry.note);
        assert.ok(notified >= 0 && notified < entries.findIndex((entry) => entry.ack), 'the first notification is ahead of the acknowledgement');
    }
    await visitor.event({type: 'ParticipantJoined', from: 'Client'});
    const notified = entries.findIndex((entry) => entry.note);
    const [joined] = entries[notified].note.messages;
    assert.deepEqual([joined.type, joined.index, joined.from.type, joined.from.nickname], ['ParticipantJoined', 1, 'Client', 'Vera']);
    assert.notEqual(visitor.secureKey, '');
    await visitor.greeted();

    const first = await visitor.say('the first line');
    const typing = await visitor.event({type: 'TypingStarted', from: 'Agent'});
    assert.ok(typing.index > first.own.index && typing.index < first.answer.index, 'the agent types before it answers');
    await visitor.say('Grüße, 你好, 👩‍🚀 & <b>"quotes"</b>\nsecond row');

    await visitor.publish('startTyping', {message: 'I thi'});
    const started = await visitor.event({type: 'TypingStarted', from: 'Client'});
    await visitor.publish('stopTyping', {message: 'I thi'});
    const stopped = await visitor.event({type: 'TypingStopped', from: 'Client'});
    assert.ok(stopped.index > started.index);

    const lines = ['one', 'two', 'three', 'four'];
    await Promise.all(lines.map((text) => visitor.publish('sendMessage', {message: text})));
    await Promise.all(lines.map((text) => visitor.event({type: 'Message', from: 'Agent', text: `echo: ${text}`})));
    const said = (from, prefix) => visitor.matching({type: 'Message', from})
        .map((event) => event.text).filter((text) => lines.some((line) => text === prefix + line));
    if (visitor.transport === 'websocket') {
        assert.deepEqual(said('Client', ''), lines);
    }
    assert.deepEqual(said('Agent', 'echo: '), said('Client', '').map((text) => `echo: ${text}`));

    await sayOnce(visitor);
    assert.deepEqual(visitor.repeats.filter((index) => visitor.events.get(index).text !== 'only once'), [], 'no event came twice');

    const before = visitor.last;
    const end = await visitor.end();
    assert.ok(end.messages.every((event) => event.index > before), 'the answer to disconnect holds only new events');

    await visitor.publish('sendMessage', {message: 'too late'});
    const refusal = await visitor.until('refusal', () => visitor.notes().find((note) => note.statusCode === 2));
    assert.equal(refusal.chatEnded, true);
}

/** A message that is sent again with the same id is one event, and both senders' copies name it. */
async function sayOnce(visitor) {
    const message = {message: 'only once', eventAttributes: {'halley-id': `id-${visitor.secureKey.slice(-12)}`}};
    await visitor.publish('sendMessage', message);
    await visitor.publish('sendMessage', message);
    const own = await visitor.event({type: 'Message', from: 'Client', text: 'only once'});
    assert.deepEqual(own.eventAttributes, message.eventAttributes);
    await visitor.say('after the repeat');
    assert.equal(visitor.matching({type: 'Message', from: 'Client', text: 'only once'}).length, 1);
    assert.equal(visitor.matching({type: 'Message', from: 'Agent', text: 'echo: only once'}).length, 1);
}

/** Some clients subscribe first, and send their first line straight from the acknowledgement of requestChat. */
async function talkSubscribed(visitor) {
    await visitor.connect();
    await visitor.subscribe();
    let sent;
    const reply = await visitor.publishRaw(
        {operation: 'requestChat', secureKey: '', nickname: 'Vera', subject: 'test', text: '', userData: {}},
        () => {
            sent = visitor.publish('sendMessage', {message: 'at once'});
        });
    assert.equal(reply.successful, true);
    assert.ok(!('data' in reply));
    await sent;
    await visitor.event({type: 'Message', from: 'Client', text: 'at once'});
    await visitor.greeted();
    await visitor.say('a line');
    await visitor.end();
    assert.equal(visitor.events.get(1).type, 'ParticipantJoined');
    assert.deepEqual(visitor.repeats, [], 'every event came once');
}

/**
 * A browser with a live chat opens another tab. Pages of any origin may use this service, and a script can be
 * loaded by any page at all: so the handshake does not hand the chat over.
 */
async function tellNoKey(first, second) {
    first.listen();
    await first.connect();
    await first.requestChat();
    await first.greeted();
    second.listen();
    await second.connect();
    assert.ok(second.handshakes().every((reply) => !('secureKey' in reply)));
    assert.deepEqual(second.notes(), [], 'nor does it take the chat over');
    await first.say('still here');
    await first.end();
}

async function comeBack(first, second, breaker) {
    first.listen();
    await first.connect();
    await first.requestChat();
    await first.greeted();
    await first.say('before the cut');
    const session = first.cometd.getClientId();
    const position = first.last;

    const connects = first.connects().length;
    // What the server throws at the dead connection before it notices comes with the restore, later
    // than newer events that had waited in the session.
    first.ordered = false;
    breaker.cut();
    await first.until('lost connection', () => first.connects().slice(connects).includes(false));

    // The chat goes on meanwhile: the key alone entitles to speak, from any Bayeux session.
    second.listen();
    await second.connect();
    second.secureKey = first.secureKey;
    await second.publish('sendMessage', {message: 'during the outage'});
    assert.deepEqual(second.notes(), [], 'speaking does not take the chat over');

    breaker.mend();
    await first.until('connection', () => first.connects().slice(connects).includes(true));
    assert.equal(first.cometd.getClientId(), session);
    assert.equal(first.negotiated(), first.transport);
    assert.equal(first.journal.entries.filter((entry) => 'handshake' in entry).length, 1);
    await first.publish('requestNotifications', {transcriptPosition: position, message: ''});
    await first.event({type: 'Message', from: 'Client', text: 'during the outage'});
    await first.event({type: 'Message', from: 'Agent', text: 'echo: during the outage'});
    first.ordered = true;
    await first.say('after the cut');

    // Numbers and numeric strings are both in use.
    await second.publish('requestNotifications', {transcriptPosition: '1', message: ''});
    await second.event({type: 'Message', from: 'Agent', text: 'echo: after the cut'});
    const spoken = (visitor) => visitor.matching({type: 'Message'}).map((event) => [event.index, event.from.type, event.text]);
    assert.deepEqual(spoken(second), spoken(first));
    assert.equal(second.events.get(1).type, 'ParticipantJoined');

    // The first client is told once that another one listens now, and then nothing before the chat ends.
    await first.until('word of the other', () => first.notes().some((note) => note.userData?.['halley-displaced'] === 'true'));
    await second.say('to the second only');
    assert.ok(!spoken(first).flat().includes('to the second only'));
    await second.end();
    await first.until('the end', () => first.notes().some((note) => note.chatEnded));
    assert.deepEqual(spoken(first), spoken(second), 'what it missed comes with the end');
    assert.equal(first.notes().filter((note) => note.userData?.['halley-displaced'] === 'true').length, 1);
}
