// What networks do.
import assert from 'node:assert/strict';
import {unique} from '../client.mjs';

export async function comesBackAfterACut(scene, transport) {
    const proxy = await scene.proxy(scene.stage.quick);
    const client = scene.client(proxy, {transports: [transport]});
    await client.start();
    const channel = `/${unique('room')}`;
    await client.subscribe(channel);
    const session = client.cometd.getClientId();
    const from = client.journal.entries.length;
    proxy.cut();
    await client.lost(from);
    const back = client.journal.entries.length;
    proxy.mend();
    await client.connected(back);
    assert.equal(client.cometd.getClientId(), session);
    assert.equal(client.transport, transport);
    await client.publish(channel, 'still subscribed');
    await client.receives(channel, 'still subscribed');
    assert.equal(client.handshakes().length, 1);
}

export async function outlivesAMessageThatIsTooLarge(scene, transport) {
    const client = scene.client(await scene.proxy(scene.stage.strict), {transports: [transport], config: {maxURILength: 20000}});
    await client.start();
    const session = client.cometd.getClientId();
    assert.equal((await client.publish('/large', 'x'.repeat(4000))).successful, false);
    assert.deepEqual((await client.call('echo', 'small')).data, 'small');
    assert.equal(client.cometd.getClientId(), session);
    assert.equal(client.handshakes().length, 1);
}

/**
 * The faults, each of which befalls a listener while somebody speaks. say publishes some numbers more and
 * resolves when the server has them.
 */
const faults = {
    async cut({proxy, listener, say}) {
        const from = listener.journal.entries.length;
        const said = say();
        proxy.cut();
        await Promise.all([said, listener.lost(from)]);
        await say();
        proxy.mend();
    },
    async drop({proxy, say}) {
        const said = say();
        proxy.drop();
        await said;
        proxy.drop();
    },
    /** The connection ends in the middle of what was sent. */
    async truncation({proxy, say, channel}) {
        const truncated = proxy.truncate((piece) => piece.includes(channel));
        await Promise.all([say(), truncated]);
    },
    /** Only the last bytes are missing: over a WebSocket the messages arrive, and what closes their batch does not. */
    async lateTruncation({proxy, say, channel}) {
        const truncated = proxy.truncate((piece) => piece.includes(channel), (length) => length - 10);
        await Promise.all([say(), truncated]);
    },
    /** The connections are dead, and nobody learns of it. */
    async silence({proxy, listener, say}) {
        const from = listener.journal.entries.length;
        proxy.swallow();
        await say();
        await listener.lost(from);
    },
    /** Everything takes longer than the listener waits. */
    async delay({proxy, listener, say}) {
        const from = listener.journal.entries.length;
        proxy.lag = 1300;
        await say();
        await listener.lost(from);
        proxy.lag = 0;
    },
};

export async function losesNothingWithAcks(scene, transport) {
    const {quick} = scene.stage;
    const proxy = await scene.proxy(quick);
    const listener = scene.client(proxy, {
        transports: [transport], extensions: {ack: new scene.kit.AckExtension()},
    });
    const speaker = scene.client(await scene.proxy(quick), {transports: ['websocket'], name: 'speaker'});
    await Promise.all([listener.start(), speaker.start()]);
    const channel = `/${unique('numbers')}`;
    await listener.subscribe(channel);
    // Only now: on a busy machine a handshake may take longer.
    listener.cometd.configure({maxNetworkDelay: 400});

    let said = 0;
    const say = async () => {
        for (let n = 0; n < 7; n++) {
            await speaker.publish(channel, said++);
        }
    };
    for (const befall of [...Object.values(faults), faults.truncation, faults.cut]) {
        await say();
        await befall({proxy, listener, say, channel});
        await say();
        await listener.receives(channel, said - 1);
    }

    let next = 0;
    let repeats = 0;
    for (const n of listener.got(channel)) {
        assert.ok(n <= next, `${n} came while ${next} was due: ${listener.got(channel)}`);
        if (n === next) {
            next++;
        } else {
            repeats++;
        }
    }
    assert.equal(next, said);
    if (transport === 'websocket') {
        assert.ok(repeats > 0, 'the late truncation has the messages come twice');
    } else {
        assert.equal(repeats, 0);
    }
    assert.equal(listener.handshakes().length, 1);
    assert.equal(listener.transport, transport);
}
