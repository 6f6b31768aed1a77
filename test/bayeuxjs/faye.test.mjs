// Faye's client. Under Node it has two transports: its callback-polling is made for browsers alone, and
// not in this build. It shakes hands over HTTP, goes over to a WebSocket if it can, and subscribes again by
// itself. It knows none of the extensions.
import assert from 'node:assert/strict';
import {createRequire} from 'node:module';
import {describe, test} from 'node:test';
import {unique} from './client.mjs';
import {FayeClient} from './faye-client.mjs';
import {pass} from './journal.mjs';
import {Server} from './server.mjs';
import {Stage} from './stage.mjs';

const stage = new Stage((proxy, options) => new FayeClient(proxy, options), {
    quick: ['-timeout', '700ms', '-max-interval', '3m'],
    forgetful: ['-timeout', '400ms', '-max-interval', '2s'],
});

/** Milliseconds after which a test hangs. Conditions are given up before. */
const TIMEOUT = 180000;

const transports = {websocket: {without: []}, 'long-polling': {without: ['websocket']}};

const scenarios = {
    async 'publishes and receives'({scene, transport, options}) {
        const client = scene.client(await scene.proxy(stage.quick), options);
        const reply = await client.start();
        await client.settled(transport);
        assert.deepEqual(reply.supportedConnectionTypes, ['websocket', 'long-polling', 'callback-polling']);
        assert.equal(client.asked('/meta/connect')[0].advice?.timeout, undefined, 'the first connect comes back of the server\'s own accord');
        const root = `/${unique('room')}`;
        const {subscription} = await client.subscribe(`${root}/a`);
        await client.subscribe(`${root}/*`);
        await client.subscribe(`${root}/**`);
        const said = [1, 0, false, '', null, {a: ['ü\u2028']}];
        for (const data of said) {
            await client.publish(`${root}/a`, data);
            await client.receives(`${root}/a`, data);
        }
        subscription.cancel();
        await client.until('reply to unsubscribe', () => client.heard('/meta/unsubscribe').some(({successful}) => successful));
        await client.publish(`${root}/a`, 'by the patterns');
        await client.publish(`${root}/a/b`, 'by one pattern');
        await client.receives(`${root}/**`, 'by one pattern');
        assert.equal(client.asked('/meta/handshake').length, 1);
        assert.deepEqual(client.got(`${root}/a`), said);
        assert.deepEqual(client.got(`${root}/*`), [...said, 'by the patterns']);
        assert.deepEqual(client.got(`${root}/**`), [...said, 'by the patterns', 'by one pattern']);
    },

    async 'gets answers of a service'({scene, options}) {
        const client = scene.client(await scene.proxy(stage.quick), options);
        await client.start();
        await client.subscribe('/service/echo');
        await client.publish('/service/echo', {a: 1});
        await client.receives('/service/echo', {a: 1});
        await client.publish('/service/nobody', 1);
    },

    async 'is denied'({scene, options}) {
        const proxy = await scene.proxy(stage.quick);
        const client = scene.client(proxy, options);
        await client.start();
        await assert.rejects(client.subscribe('/denied/x'), {code: 403, params: ['denied_by_echo'], message: 'subscribe_denied'});
        await assert.rejects(client.publish('/denied/x', 1), {code: 403, params: ['denied_by_echo'], message: 'publish_denied'});
        const outcast = scene.client(proxy, {...options, ext: {deny: true}});
        outcast.client.connect();
        await outcast.until('refusal', () => outcast.heard('/meta/handshake').length > 0);
        const [{successful, error, advice}] = outcast.heard('/meta/handshake');
        assert.deepEqual([successful, error, advice.reconnect], [false, '403::handshake_denied', 'none']);
    },

    async 'stays away after a kick'({scene, transport, options}) {
        const proxy = await scene.proxy(stage.quick);
        const client = scene.client(proxy, options);
        await client.start();
        const over = () => client.heard('/meta/connect').some(({advice}) => advice?.reconnect === 'none');
        const welcome = () => client.heard('/meta/handshake').filter(({successful}) => successful).length;
        // As any client it comes back from a kick over HTTP that finds no held connect; then it is kicked again.
        for (let kicks = 1; !over(); kicks++) {
            await client.held(proxy);
            client.client.publish('/service/kick', {});
            await client.until('end', () => over() || transport !== 'websocket' && welcome() > kicks);
        }
        assert.ok(client.heard('/meta/disconnect').some(({successful, id}) => successful && id === undefined));
        if (transport === 'websocket') {
            await proxy.journal.until('closing of the WebSocket', () => proxy.upgrades.length === 0);
        }
    },

    async 'says goodbye'({scene, transport, options}) {
        const proxy = await scene.proxy(stage.quick);
        const client = scene.client(proxy, options);
        await client.start();
        await client.settled(transport);
        assert.equal(await client.close(), true);
        if (transport === 'websocket') {
            await proxy.journal.until('closing of the WebSocket', () => proxy.upgrades.length === 0);
            assert.equal(proxy.closing, 'client', 'Faye closes it, not the server after 5 s');
        }
    },

    async 'begins anew after its session expired'({scene, transport, options}) {
        const proxy = await scene.proxy(stage.forgetful);
        const client = scene.client(proxy, options);
        const {clientId} = await client.start();
        const channel = `/${unique('room')}`;
        await client.subscribe(channel);
        proxy.cut();
        // The connect may be held for 400 ms, and the session lives for 2 s without one.
        await pass(5000);
        proxy.mend();
        await begunAnew(client, clientId, channel, transport);
    },

    async 'finds a restarted server'({scene, transport, options}) {
        const [old, fresh] = [await Server.start('-timeout', '700ms'), await Server.start('-timeout', '700ms')];
        scene.end(() => fresh.stop());
        const proxy = await scene.proxy(old);
        const client = scene.client(proxy, options);
        const {clientId} = await client.start();
        const channel = `/${unique('room')}`;
        await client.subscribe(channel);
        await old.stop();
        proxy.aim(fresh.url);
        await begunAnew(client, clientId, channel, transport);
    },

    async 'comes back after a cut'({scene, transport, options}) {
        const proxy = await scene.proxy(stage.quick);
        const client = scene.client(proxy, options);
        await client.start();
        await client.settled(transport);
        const channel = `/${unique('room')}`;
        await client.subscribe(channel);
        let down = false;
        client.client.on('transport:down', () => {
            down = true;
        });
        proxy.cut();
        await client.until('loss', () => down);
        proxy.mend();
        await client.publish(channel, 'still subscribed');
        await client.receives(channel, 'still subscribed');
        assert.equal(client.transport, transport);
        assert.equal(client.asked('/meta/handshake').length, 1);
    },

    async 'notices a connection that is dead in silence'({scene, options}) {
        const proxy = await scene.proxy(stage.quick);
        const client = scene.client(proxy, options);
        await client.start();
        const channel = `/${unique('room')}`;
        await client.subscribe(channel);
        proxy.swallow();
        await client.publish(channel, 'still subscribed');
        await client.receives(channel, 'still subscribed');
        assert.equal(client.asked('/meta/handshake').length, 1);
    },
};

/** What must be true once a client has shaken hands for the second time: Faye subscribes by itself. */
async function begunAnew(client, first, channel, transport) {
    await client.until('second subscription', () => client.heard('/meta/subscribe').filter(({successful}) => successful).length >= 2);
    const handshakes = client.heard('/meta/handshake').filter(({successful}) => successful);
    assert.notEqual(handshakes.at(-1).clientId, first);
    await client.settled(transport);
    await client.publish(channel, 'again');
    await client.receives(channel, 'again');
}

const {version} = createRequire(import.meta.url)('faye/package.json');

describe(`faye ${version}`, {concurrency: 8}, () => {
    for (const [name, scenario] of Object.entries(scenarios)) {
        for (const [transport, options] of Object.entries(transports)) {
            const skip = name.includes('dead') && transport === 'websocket' && 'Faye waits 30 s for the other side to agree to the closing';
            test(`${transport}: ${name}`, {timeout: TIMEOUT, skip}, () => stage.play((scene) => scenario({scene, transport, options})));
        }
    }

    test('falls back from a refused web socket', {timeout: TIMEOUT}, () => stage.play(async (scene) => {
        const proxy = await scene.proxy(stage.quick);
        proxy.withoutWebSocket = true;
        const client = scene.client(proxy);
        await client.start();
        assert.equal(client.transport, 'long-polling');
        const channel = `/${unique('room')}`;
        await client.subscribe(channel);
        await client.publish(channel, 1);
        await client.receives(channel, 1);
    }));
});
