// How sessions end and begin again.
import assert from 'node:assert/strict';
import {unique} from '../client.mjs';
import {pass} from '../journal.mjs';
import {Server} from '../server.mjs';

export async function disconnectsAndCloses(scene, transport) {
    const proxy = await scene.proxy(scene.stage.patient);
    const client = scene.client(proxy, {transports: [transport]});
    await client.start();
    await client.held(proxy);
    let reply;
    client.cometd.disconnect((message) => {
        reply = message;
        client.journal.add({reply});
    });
    await client.until('reply', () => reply);
    assert.equal(reply.successful, true);
    await client.until('end', () => client.cometd.getStatus() === 'disconnected');
    if (transport === 'websocket') {
        await proxy.journal.until('closing of the WebSocket', () => proxy.upgrades.length === 0);
        assert.equal(proxy.closing, 'client', 'it does not wait until the server closes it, after 5 s');
    }
}

/**
 * Over HTTP a kick reaches the client with its held connect. If none is held at that moment, the client only
 * learns that its session is gone, and comes back; then it is kicked again.
 */
export async function staysAwayAfterAKick(scene, transport) {
    const proxy = await scene.proxy(scene.stage.patient);
    const client = scene.client(proxy, {transports: [transport]});
    await client.start();
    const gone = () => client.cometd.getStatus() === 'disconnected';
    for (let kicks = 1; !gone(); kicks++) {
        await client.held(proxy);
        const from = client.journal.entries.length;
        client.cometd.publish('/service/kick', {});
        await client.until('end', () => gone() || transport !== 'websocket' && client.handshakes().length > kicks);
        await client.until('state', () => gone() || client.journal.entries.slice(from).some((entry) => entry.connect?.successful));
    }
    assert.ok(client.journal.entries.some((entry) => entry.disconnect?.successful || entry.connect?.advice?.reconnect === 'none'));
    if (transport === 'websocket') {
        await proxy.journal.until('closing of the WebSocket', () => proxy.upgrades.length === 0);
    }
}

/** As applications must, it subscribes anew after every handshake. */
async function faithful(scene, proxy, transport, channel) {
    const client = scene.client(proxy, {transports: [transport]});
    client.cometd.addListener('/meta/handshake', ({successful}) => successful && client.follow(channel, ({successful: subscribed}) => {
        client.journal.add({subscribed});
    }));
    await client.start();
    await client.until('subscription', () => client.journal.entries.find((entry) => entry.subscribed));
    return client;
}

/** What must be true once a client has shaken hands for the second time. */
async function begunAnew(client, first) {
    const second = await client.until('second handshake', () => client.handshakes().filter(({successful}) => successful)[1]);
    assert.equal(second.reestablish, true);
    assert.notEqual(second.clientId, first);
    await client.until('second subscription', () => client.journal.entries.filter((entry) => entry.subscribed).length === 2);
    const told = client.journal.entries.find((entry) => entry.connect?.error).connect;
    assert.deepEqual([told.error, told.advice.reconnect, told.advice.interval], ['402::Unknown client', 'handshake', 0]);
}

export async function beginsAnewAfterItsSessionExpired(scene, transport) {
    const proxy = await scene.proxy(scene.stage.forgetful);
    const channel = `/${unique('room')}`;
    const client = await faithful(scene, proxy, transport, channel);
    const first = client.cometd.getClientId();
    proxy.cut();
    // The connect may be held for 400 ms, and the session lives for 2 s without one.
    await pass(5000);
    proxy.mend();
    await begunAnew(client, first);
    await client.publish(channel, 'again');
    await client.receives(channel, 'again');
}

export async function findsARestartedServer(scene, transport) {
    const old = await Server.start('-timeout', '3m');
    const fresh = await Server.start('-timeout', '3m');
    scene.end(() => fresh.stop());
    const proxy = await scene.proxy(old);
    const channel = `/${unique('room')}`;
    const client = await faithful(scene, proxy, transport, channel);
    await client.held(proxy);
    const first = client.cometd.getClientId();
    proxy.aim(fresh.url);
    const began = performance.now();
    await old.stop();
    assert.ok(performance.now() - began < 5000);
    await begunAnew(client, first);
    assert.equal(client.transport, transport);
    await client.publish(channel, 'again');
    await client.receives(channel, 'again');
}

/** Of two sessions of one browser only one has its connect held over HTTP, and the other is told to poll. */
export async function sharesABrowser(scene, transport) {
    const proxy = await scene.proxy(scene.stage.patient);
    const both = [1, 2].map((n) => scene.client(proxy, {transports: [transport], name: `tab ${n}`}));
    const channel = `/${unique('room')}`;
    for (const tab of both) {
        await tab.start();
        await tab.subscribe(channel);
    }
    const other = scene.client(await scene.proxy(scene.stage.patient), {transports: ['websocket'], name: 'other'});
    await other.start();
    const told = (tab) => tab.journal.entries.filter((entry) => entry.connect?.advice?.['multiple-clients']);
    if (transport === 'websocket') {
        await both[0].publish(channel, 'hello');
        await Promise.all(both.map((tab) => tab.receives(channel, 'hello')));
        assert.deepEqual(both.flatMap(told), []);
        return;
    }
    const second = await Promise.any(both.map((tab) => tab.until('advice for several clients', () => told(tab).length > 0 && tab)));
    const {advice} = told(second)[0].connect;
    assert.deepEqual([advice.reconnect, advice.interval], ['retry', 200]);
    for (const n of [1, 2, 3]) {
        await second.publish(channel, n);
        await Promise.all(both.map((tab) => tab.receives(channel, n)));
    }
    // When only one is left it is told so, whichever of them had to poll last, with the next reply to a connect.
    const left = told(both[0]).length > told(both[1]).length ? both[0] : both[1];
    await both.find((tab) => tab !== left).close();
    await other.publish(channel, 'alone');
    await left.receives(channel, 'alone');
    await left.until('usual advice', () => {
        const advised = left.journal.entries.filter((entry) => entry.connect?.advice).at(-1).connect.advice;
        return !advised['multiple-clients'] && advised.interval === 0;
    });
}
