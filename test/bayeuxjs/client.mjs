import assert from 'node:assert/strict';
import {Journal, PATIENCE} from './journal.mjs';

let clients = 0;

/** The form of a name that is not in use anywhere else in this process. */
export const unique = (name) => `${name}-${process.pid}-${++clients}`;

/**
 * One CometD client behind a proxy. Its journal holds, in order of arrival, {handshake: reply},
 * {connect: reply}, and {got: data, on: channel, via: subscription} for every message.
 */
export class Client {
    /**
     * kit: the classes of the library. transports: those to keep, in the client's order of preference. config:
     * what the library is configured with besides. extensions: by the names under which they are registered.
     */
    constructor(kit, proxy, {transports, name = 'client', config = {}, extensions = {}}) {
        this.journal = new Journal(unique(name));
        this.until = this.journal.until.bind(this.journal);
        const cometd = this.cometd = new kit.CometD(this.journal.name);
        cometd.configure({
            url: proxy.url, logLevel: process.env.BAYEUX_DEBUG ? 'debug' : 'warn', backoffIncrement: 50, maxBackoff: 300, maxNetworkDelay: PATIENCE, ...config,
        });
        const known = new Map(cometd.getTransportTypes().map((type) => [type, cometd.unregisterTransport(type)]));
        transports.forEach((type) => cometd.registerTransport(type, known.get(type)));
        Object.entries(extensions).forEach(([key, extension]) => cometd.registerExtension(key, extension));
        this.asked = 0;
        cometd.registerExtension('count', {outgoing: (message) => this.count(message)});
        cometd.addListener('/meta/handshake', (handshake) => this.journal.add({handshake}));
        cometd.addListener('/meta/connect', (connect) => this.journal.add({connect}));
        cometd.addListener('/meta/disconnect', (disconnect) => this.journal.add({disconnect}));
    }

    /** Counts connects as they go out. */
    count(message) {
        if (message.channel === '/meta/connect') {
            this.asked++;
        }
        return message;
    }

    /** Shakes hands and waits until the first connect is answered; returns the handshake's reply. */
    async start(props) {
        this.cometd.handshake(props);
        const {handshake} = await this.until('handshake', () => this.journal.entries.find((entry) => entry.handshake?.successful));
        await this.connected();
        return handshake;
    }

    /** Waits for a successful connect after the first from entries of the journal. */
    connected(from = 0) {
        return this.until('connect', () => this.journal.entries.slice(from).find((entry) => entry.connect?.successful));
    }

    /** Waits for a connect that failed after the first from entries of the journal. */
    lost(from) {
        return this.until('lost connection', () => this.journal.entries.slice(from).find((entry) => entry.connect?.successful === false));
    }

    /**
     * Waits until the server most likely holds a connect of this client, which must be the only one behind
     * the proxy: the connect has passed, and a request after it has been answered.
     */
    async held(proxy) {
        const answered = () => this.journal.entries.filter((entry) => entry.connect).length;
        await this.until('connect to be held', () => this.asked > answered() && (this.transport === 'websocket' || proxy.polls >= this.asked));
        await this.publish('/service/nobody', {});
    }

    /** The type of the transport in use. Version 8 made a property of what had been a method. */
    get transport() {
        const transport = this.cometd.getTransport();
        return transport && (transport.type ?? transport.getType());
    }

    /** Notes what arrives for a subscription; it is asked for, and its reply not waited for. */
    follow(channel, replied) {
        return this.cometd.subscribe(channel, (message) => this.journal.add({got: message.data, on: message.channel, via: channel}), {}, replied);
    }

    /** Subscribes and returns the subscription and the reply. */
    async subscribe(channel) {
        let reply;
        const subscription = this.follow(channel, (message) => {
            reply = message;
            this.journal.add({subscribed: message.successful});
        });
        await this.until(`reply to the subscription to ${channel}`, () => reply);
        return {subscription, reply};
    }

    async unsubscribe(subscription) {
        let reply;
        this.cometd.unsubscribe(subscription, {}, (message) => {
            reply = message;
            this.journal.add({unsubscribed: message.successful});
        });
        return this.until('reply to unsubscribe', () => reply);
    }

    /** Publishes and returns the acknowledgement. */
    async publish(channel, data) {
        let reply;
        this.cometd.publish(channel, data, {}, (message) => {
            reply = message;
            this.journal.add({published: message.successful});
        });
        await this.until(`acknowledgement of ${channel}`, () => reply);
        assert.ok(!('data' in reply), 'an acknowledgement carries no data');
        return reply;
    }

    /** Calls a service and returns its answer. */
    async call(target, data) {
        let answer;
        this.cometd.remoteCall(target, data, (message) => {
            answer = message;
            this.journal.add({called: message.successful});
        });
        return this.until(`answer of ${target}`, () => answer);
    }

    /** What arrived for a subscription, in order. */
    got(via) {
        return this.journal.entries.filter((entry) => entry.via === via).map((entry) => entry.got);
    }

    /** Waits until something arrived for a subscription that is deeply equal to data. */
    receives(via, data) {
        const wanted = JSON.stringify(data);
        return this.until(`${wanted} on ${via}`, () => this.journal.entries.find((entry) => entry.via === via && JSON.stringify(entry.got) === wanted));
    }

    handshakes() {
        return this.journal.entries.filter((entry) => entry.handshake).map((entry) => entry.handshake);
    }

    /** The page is left: the reload extension saves what it needs, and this client is used no more. */
    leave() {
        this.left = true;
        this.cometd.reload();
    }

    async close() {
        if (this.left) {
            return;
        }
        if (!this.cometd.isDisconnected()) {
            this.cometd.disconnect();
        }
        await this.until('end', () => this.cometd.getStatus() === 'disconnected');
    }
}
