// Which transport is taken.
import assert from 'node:assert/strict';

const all = ['websocket', 'long-polling', 'callback-polling'];

export async function takesTheTransportItPrefers(scene) {
    const orders = [all, ['long-polling', 'websocket'], ['callback-polling', 'long-polling', 'websocket']];
    await Promise.all(orders.map(async (transports) => {
        const client = scene.client(await scene.proxy(scene.stage.patient), {transports});
        await client.start();
        assert.equal(client.transport, transports[0]);
        assert.equal((await client.call('echo', 1)).data, 1);
    }));
}

export async function takesThePathBelow(scene) {
    await Promise.all(all.map(async (transport) => {
        const client = scene.client(await scene.proxy({url: scene.stage.patient.url + '/some/path/'}), {transports: [transport]});
        await client.start();
        assert.equal((await client.call('echo', 1)).data, 1);
    }));
}

export async function fallsBackFromARefusedWebSocket(scene) {
    const proxy = await scene.proxy(scene.stage.patient);
    proxy.withoutWebSocket = true;
    const client = scene.client(proxy, {transports: all});
    const failures = [];
    client.cometd.onTransportException = (failure, from, to) => failures.push([from, to]);
    await client.start();
    assert.equal(client.transport, 'long-polling');
    assert.deepEqual(client.handshakes().map(({successful}) => successful), [false, true]);
    assert.deepEqual(failures, [['websocket', 'long-polling']]);
    assert.equal((await client.call('echo', 1)).data, 1);
}

export async function compresses(scene) {
    const proxy = await scene.proxy(scene.stage.strict);
    const client = scene.client(proxy, {transports: ['websocket']});
    await client.start();
    assert.match(proxy.upgrades[0], /sec-websocket-extensions: permessage-deflate/i);
    for (const size of [1, 200, 300, 2500]) {
        const data = 'ab'.repeat(size / 2);
        assert.equal((await client.call('echo', data)).data, data);
    }
}
