import faye from 'faye';
import {unique} from './client.mjs';
import {Journal} from './journal.mjs';

// Faye would send its requests through a proxy that the environment names.
for (const name of Object.keys(process.env).filter((key) => /^https?_proxy$/i.test(key))) {
    delete process.env[name];
}

/**
 * One Faye client behind a proxy. Its journal holds {asked: message} and {heard: message} for every meta
 * message, and {got: data, on: channel, via: subscription}.
 */
export class FayeClient {
    /** without: the transports that it shall not use. */
    constructor(proxy, {without = [], name = 'faye', ext} = {}) {
        this.journal = new Journal(unique(name));
        this.until = this.journal.until.bind(this.journal);
        const client = this.client = new faye.Client(proxy.url, {retry: 0.1});
        without.forEach((transport) => client.disable(transport));
        client.addExtension({
            outgoing: (message, next) => {
                if (message.channel === '/meta/handshake' && ext) {
                    message.ext = ext;
                }
                this.note({asked: message});
                next(message);
            },
            incoming: (message, next) => {
                this.note({heard: message});
                next(message);
            },
        });
    }

    note(entry) {
        const {channel} = entry.asked ?? entry.heard;
        if (channel.startsWith('/meta/')) {
            this.journal.add(entry);
        }
    }

    /** Shakes hands and waits until the first connect is answered. */
    async start() {
        this.client.connect();
        await this.until('connect', () => this.heard('/meta/connect').some(({successful}) => successful));
        return this.heard('/meta/handshake').at(-1);
    }

    /**
     * Waits until it uses the transport. A WebSocket is opened at the same time as the hand is shaken over
     * HTTP, and no connect waits for it.
     */
    settled(transport) {
        return this.until(transport, () => this.transport === transport);
    }

    /**
     * Waits until the server most likely holds a connect of this client, which must be the only one behind the proxy. The
     * first connect of a session comes back at once, and what was sent in a session before may never be answered.
     */
    async held(proxy) {
        const held = () => {
            const answered = ({id}) => this.heard('/meta/connect').some((reply) => reply.id === id && reply.successful);
            const [last, ...before] = this.asked('/meta/connect').reverse();
            return !answered(last) && before.some((connect) => connect.clientId === last.clientId && answered(connect));
        };
        await this.until('connect to be held', () => held() && (this.transport === 'websocket' || proxy.polls >= this.polls));
        await this.publish('/service/nobody', {});
    }

    /** How many connects it has sent over HTTP. */
    get polls() {
        return this.asked('/meta/connect').filter(({connectionType}) => connectionType === 'long-polling').length;
    }

    asked(channel) {
        return this.journal.entries.filter(({asked}) => asked?.channel === channel).map(({asked}) => asked);
    }

    heard(channel) {
        return this.journal.entries.filter(({heard}) => heard?.channel === channel).map(({heard}) => heard);
    }

    /** The transport that the last connect was sent over. */
    get transport() {
        return this.asked('/meta/connect').at(-1).connectionType;
    }

    /** Subscribes and notes what arrives; fails as the subscription does. */
    async subscribe(channel) {
        const subscription = this.client.subscribe(channel).withChannel((on, got) => this.journal.add({got, on, via: channel}));
        await new Promise((resolve, reject) => subscription.then(resolve, reject));
        return {subscription}; // it is a promise too, which would be waited for once more
    }

    /** Publishes; fails as the publication does. */
    publish(channel, data) {
        return new Promise((resolve, reject) => this.client.publish(channel, data).then(resolve, reject));
    }

    got(via) {
        return this.journal.entries.filter((entry) => entry.via === via).map((entry) => entry.got);
    }

    receives(via, data) {
        const wanted = JSON.stringify(data);
        return this.until(`${wanted} on ${via}`, () => this.got(via).some((got) => JSON.stringify(got) === wanted));
    }

    /** Says goodbye and returns whether the server took it: it does not know a client that it has kicked. */
    close() {
        const goodbye = this.client.disconnect();
        return goodbye && new Promise((resolve) => goodbye.then(() => resolve(true), () => resolve(false)));
    }
}
