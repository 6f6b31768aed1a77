// The extensions that the library brings along.
import assert from 'node:assert/strict';
import {unique} from '../client.mjs';
import {PATIENCE} from '../journal.mjs';

export async function acknowledges(scene, transport) {
    const client = scene.client(await scene.proxy(scene.stage.patient), {transports: [transport], extensions: {ack: new scene.kit.AckExtension()}});
    const reply = await client.start();
    assert.equal(reply.ext.ack, true);
    const channel = `/${unique('room')}`;
    await client.subscribe(channel);
    for (let n = 0; n < 10; n++) {
        await client.publish(channel, n);
        await client.receives(channel, n);
    }
    assert.deepEqual(client.got(channel), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    const batches = client.journal.entries.filter((entry) => entry.connect).map(({connect}) => connect.ext.ack);
    assert.deepEqual(batches, batches.map((_, index) => index + 1), 'every reply to a connect closes a batch');
}

export async function synchronizesItsClock(scene, transport) {
    const timesync = new scene.kit.TimeSyncExtension();
    const client = scene.client(await scene.proxy(scene.stage.quick), {transports: [transport], extensions: {timesync}});
    const before = Date.now();
    const {ext} = await client.start();
    assert.ok(ext.timesync.tc >= before && Number.isInteger(ext.timesync.ts) && ext.timesync.p >= 0, JSON.stringify(ext));
    await client.until('three connects', () => client.journal.entries.filter((entry) => entry.connect).length >= 3);
    const connects = client.journal.entries.filter((entry) => entry.connect).map(({connect}) => connect);
    for (const [n, connect] of connects.entries()) {
        // A client whose clock is close enough is told nothing more. A held connect must not count as a slow network:
        // the server says that it kept it for 700 ms.
        const kept = connect.ext?.timesync?.p ?? 700;
        assert.ok(kept >= (n === 0 ? 0 : 699), JSON.stringify(connect));
    }
    // Both clocks are this machine's, so that they seem to differ by the lag at most, but for what is cut off from milliseconds.
    const [offset, lag] = [timesync.getTimeOffset(), timesync.getNetworkLag()];
    assert.ok(lag >= 0 && Math.abs(offset) <= lag + 3, `offset ${offset}, lag ${lag}`);
}

export async function stampsMessages(scene, transport) {
    const extensions = {timestamp: new scene.kit.TimeStampExtension()};
    const client = scene.client(await scene.proxy(scene.stage.patient), {transports: [transport], extensions});
    const reply = await client.start();
    const channel = `/${unique('room')}`;
    const stamps = [reply.timestamp];
    const {reply: subscribed} = await client.subscribe(channel);
    client.cometd.addListener(channel, ({timestamp}) => stamps.push(timestamp));
    stamps.push(subscribed.timestamp, (await client.publish(channel, 1)).timestamp);
    await client.receives(channel, 1);
    assert.equal(stamps.length, 4);
    for (const stamp of stamps) {
        // Stamps have no fractions of seconds.
        assert.ok(Math.abs(Date.parse(stamp) - Date.now()) < 20000, stamp);
    }
}

const bytes = (buffer) => [...new Uint8Array(buffer)];

export async function carriesBytes(scene, transport) {
    const client = scene.client(await scene.proxy(scene.stage.patient), {transports: [transport], extensions: {binary: new scene.kit.BinaryExtension()}});
    await client.start();
    const channel = `/${unique('room')}`;
    await client.subscribe(channel);
    const samples = Array.from({length: 10}, (_, length) => Array.from({length}, (_, index) => 255 - index * 7));
    samples.push(Array.from({length: 256}, (_, index) => index));
    for (const [index, sample] of samples.entries()) {
        client.cometd.publishBinary(channel, Uint8Array.from(sample).buffer, true, {index});
    }
    await client.until('every sample', () => client.got(channel).length === samples.length);
    assert.deepEqual(client.got(channel).map(({data}) => bytes(data)), samples);
    assert.deepEqual(client.got(channel).map(({meta, last}) => [meta.index, last]), samples.map((_, index) => [index, true]));

    let answer;
    client.cometd.remoteCallBinary('echo', Uint8Array.from(samples[10]).buffer, true, {name: 'all'}, PATIENCE, (message) => {
        answer = message;
        client.journal.add({answered: message.successful});
    });
    await client.until('answer', () => answer);
    assert.equal(answer.successful, true);
    assert.deepEqual([bytes(answer.data.data), answer.data.meta], [samples[10], {name: 'all'}]);
}

export async function reloadsItsPage(scene, transport) {
    const proxy = await scene.proxy(scene.stage.patient);
    const page = (name) => scene.client(proxy, {
        transports: [transport], name, extensions: {ack: new scene.kit.AckExtension(), reload: new scene.kit.ReloadExtension({name: proxy.url})},
    });
    const channel = `/${unique('room')}`;
    const other = scene.client(await scene.proxy(scene.stage.patient), {transports: ['websocket']});
    const first = page('first');
    await Promise.all([first.start(), other.start()]);
    await first.subscribe(channel);
    await other.publish(channel, 'before');
    await first.receives(channel, 'before');
    const session = first.cometd.getClientId();
    first.leave();
    await other.publish(channel, 'meanwhile');

    const second = page('second');
    second.cometd.handshake();
    second.follow(channel);
    await second.receives(channel, 'meanwhile');
    await second.connected();
    assert.equal(second.cometd.getClientId(), session);
    assert.equal(second.handshakes()[0].ext.reload, true);
    assert.equal(second.transport, transport);
    await other.publish(channel, 'after');
    await second.receives(channel, 'after');
    // The first page may have got it and not have had the time to say so.
    assert.deepEqual(second.got(channel).filter((data) => data !== 'before'), ['meanwhile', 'after']);
}
