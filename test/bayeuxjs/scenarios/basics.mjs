// What every client does, over every transport.
import assert from 'node:assert/strict';
import {unique} from '../client.mjs';

export async function publishesAndReceives(scene, transport) {
    const proxy = await scene.proxy(scene.stage.patient);
    const client = scene.client(proxy, {transports: [transport]});
    const reply = await client.start();
    assert.equal(client.transport, transport);
    assert.deepEqual(reply.supportedConnectionTypes, ['websocket', 'long-polling', 'callback-polling']);
    assert.equal(reply.version, '1.0');

    const channel = `/${unique('room')}/a`;
    const {subscription, reply: subscribed} = await client.subscribe(channel);
    assert.equal(subscribed.successful, true);
    assert.equal(subscribed.subscription, channel);

    const said = [0, false, '', null, [], {}, -1.5e-7, 'Grüße, 你好, 👩‍🚀 \u2028\u2029 </script> \\ "', {a: [{b: null}]}];
    for (const data of said) {
        assert.equal((await client.publish(channel, data)).successful, true);
        await client.receives(channel, data);
    }
    assert.deepEqual(client.got(channel), said);

    assert.equal((await client.unsubscribe(subscription)).successful, true);
    const other = channel + '/other';
    await client.subscribe(other);
    await client.publish(channel, 'unheard');
    await client.publish(other, 'heard');
    await client.receives(other, 'heard');
    assert.deepEqual(client.got(channel), said);
}

export async function hearsOthers(scene, transport) {
    const patient = scene.stage.patient;
    const [one, two] = await Promise.all([1, 2].map(async () => scene.client(await scene.proxy(patient), {transports: [transport]})));
    await Promise.all([one.start(), two.start()]);
    const channel = `/${unique('room')}`;
    const seen = [];
    await two.subscribe(channel);
    two.cometd.addListener(channel, (message) => seen.push(message));
    await one.publish(channel, {from: 'one'});
    await two.receives(channel, {from: 'one'});
    assert.deepEqual(Object.keys(seen[0]).sort(), ['channel', 'data', 'timestamp'], 'neither id nor clientId of the sender');
    assert.deepEqual(one.got(channel), []);
    await one.publish('/service/push', {channel, data: 'from the server'});
    await two.receives(channel, 'from the server');
}

export async function matchesPatterns(scene, transport) {
    const client = scene.client(await scene.proxy(scene.stage.patient), {transports: [transport]});
    await client.start();
    const root = `/${unique('tree')}`;
    const patterns = [`${root}/*`, `${root}/**`, `${root}/a`, `${root}/a/b`, `${root}/a/**`];
    await Promise.all(patterns.map((pattern) => client.subscribe(pattern)));
    const expected = Object.fromEntries(patterns.map((pattern) => [pattern, []]));
    for (const [below, ...matching] of [['/a', 0, 1, 2], ['/b', 0, 1], ['/a/b', 1, 3, 4], ['/a/b/c', 1, 4]]) {
        await client.publish(root + below, below);
        matching.forEach((index) => expected[patterns[index]].push(below));
    }
    await client.publish(root, 'nobody');
    await client.publish(`${root}/a`, 'end');
    [0, 1, 2].forEach((index) => expected[patterns[index]].push('end'));
    await Promise.all([0, 1, 2].map((index) => client.receives(patterns[index], 'end')));
    assert.deepEqual(Object.fromEntries(patterns.map((pattern) => [pattern, client.got(pattern)])), expected);
}

export async function sendsBatches(scene, transport) {
    const client = scene.client(await scene.proxy(scene.stage.patient), {transports: [transport]});
    await client.start();
    const channel = `/${unique('batch')}`;
    const numbers = Array.from({length: 30}, (_, n) => n);
    client.cometd.batch(() => {
        client.follow(channel);
        numbers.forEach((n) => client.cometd.publish(channel, {n, padding: 'x'.repeat(60)}));
    });
    await client.until('the whole batch', () => client.got(channel).length >= numbers.length);
    // Callback-polling splits what does not fit into a URL, and its parts go out one after the other.
    assert.deepEqual(client.got(channel).map(({n}) => n), numbers);
}

export async function callsServices(scene, transport) {
    const client = scene.client(await scene.proxy(scene.stage.patient), {transports: [transport]});
    await client.start();
    for (const data of [1, 0, false, '', null, {a: ['ü']}]) {
        const answer = await client.call('echo', data);
        assert.deepEqual([answer.successful, answer.data, answer.channel], [true, data, '/service/echo']);
    }
    const answers = await Promise.all(['a', 'b', 'c', 'd', 'e'].map((data) => client.call('echo', data)));
    assert.deepEqual(answers.map(({data}) => data), ['a', 'b', 'c', 'd', 'e'], 'each answer goes to its call');
    assert.equal((await client.publish('/service/nobody/there', {a: 1})).successful, true);
    const refused = await client.publish('/service/flood', 'no object');
    assert.deepEqual([refused.successful, refused.error], [false, '400::data_invalid']);
}

export async function receivesFloodsInOrder(scene, transport) {
    const client = scene.client(await scene.proxy(scene.stage.patient), {transports: [transport]});
    await client.start();
    const channel = '/service/numbers';
    client.cometd.addListener(channel, ({data}) => client.journal.add({got: data.n, via: channel}));
    await client.publish('/service/flood', {channel, count: 3000});
    await client.until('the last message', () => client.journal.entries.at(-1).got === 2999 || client.got(channel).length >= 3000);
    assert.deepEqual(client.got(channel), Array.from({length: 3000}, (_, n) => n));
}

export async function speaksDuringTheHandshake(scene, transport) {
    const client = scene.client(await scene.proxy(scene.stage.patient), {transports: [transport]});
    const channel = `/${unique('early')}`;
    let called;
    client.cometd.addListener('/meta/handshake', () => {
        client.cometd.publish(channel, 'in the listener');
        client.cometd.remoteCall('echo', 'in the listener', ({data}) => {
            called = data;
            client.journal.add({called});
        });
    });
    client.cometd.handshake((reply) => {
        assert.equal(reply.successful, true);
        client.cometd.publish(channel, 'in the callback');
    });
    client.follow(channel);
    client.cometd.publish(channel, 'before the reply');
    await client.receives(channel, 'in the listener');
    await client.until('answer', () => called);
    assert.deepEqual(client.got(channel), ['before the reply', 'in the callback', 'in the listener']);
    await client.connected();
    assert.equal(client.handshakes().length, 1);
}

export async function isDenied(scene, transport) {
    const proxy = await scene.proxy(scene.stage.patient);
    const client = scene.client(proxy, {transports: [transport]});
    await client.start();
    for (const channel of ['/denied/x', '/denied/*', '/denied/**']) {
        const {reply} = await client.subscribe(channel);
        assert.deepEqual([reply.successful, reply.error, reply.subscription], [false, '403:denied_by_echo:subscribe_denied', channel]);
    }
    const reply = await client.publish('/denied/a/b', 1);
    assert.deepEqual([reply.successful, reply.error], [false, '403:denied_by_echo:publish_denied']);
    assert.equal((await client.publish('/denied', 1)).successful, true);

    const outcast = scene.client(proxy, {transports: [transport]});
    outcast.cometd.handshake({ext: {deny: true}});
    await outcast.until('end', () => outcast.cometd.getStatus() === 'disconnected');
    assert.deepEqual(outcast.handshakes().map(({successful, error}) => [successful, error]), [[false, '403::handshake_denied']]);
}

export async function waitsForLazyMessages(scene, transport) {
    // There is one lazy channel, and a message of anybody else on it would take ours along.
    const server = await scene.server('-timeout', '3m', '-max-interval', '3m', '-lazy-timeout', '400ms');
    const [listener, speaker] = await Promise.all([1, 2].map(async () => scene.client(await scene.proxy(server), {transports: [transport]})));
    await Promise.all([listener.start(), speaker.start()]);
    const arrived = [];
    listener.cometd.subscribe('/lazy', ({data}) => {
        arrived.push(performance.now());
        listener.journal.add({lazy: data.n});
    });
    const prompt = `/${unique('prompt')}`;
    await listener.subscribe(prompt);
    const began = performance.now();
    await speaker.publish('/lazy', {n: 1});
    await listener.until('lazy message', () => arrived.length === 1);
    // Nothing but the lazy timeout, which is 400 ms, makes it come.
    assert.ok(arrived[0] - began > 380, `it came after ${arrived[0] - began} ms`);

    await speaker.publish('/lazy', {n: 2});
    await speaker.publish(prompt, 'now');
    await listener.receives(prompt, 'now');
    const entries = listener.journal.entries;
    const order = entries.filter((entry) => entry.lazy === 2 || entry.via === prompt).map((entry) => entry.lazy ?? entry.got);
    assert.deepEqual(order, [2, 'now'], 'the lazy one goes along, and first');
}

/** A client waits for a held connect for as long as the server said, and maxNetworkDelay beyond. */
export async function outwaitsHeldConnects(scene, transport) {
    const client = scene.client(await scene.proxy(scene.stage.quick), {transports: [transport]});
    await client.start();
    const connects = () => client.journal.entries.filter((entry) => entry.connect);
    await client.until('four connects', () => connects().length >= 4);
    assert.ok(connects().every(({connect}) => connect.successful), 'none of them failed');
    assert.equal(client.handshakes().length, 1);
}
