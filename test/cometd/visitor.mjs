import assert from 'node:assert/strict';
import {Journal, PATIENCE} from './journal.mjs';

const SERVICE = 'echo';
export const CHANNEL = `/service/chatV2/${SERVICE}`;

/**
 * One CometD client in a visitor's hands. Everything it receives goes into its journal in order of
 * arrival, as {note: response object}, {ack: operation, …}, {connect: …} and {handshake: …}; what
 * holds for every notification is checked on the spot and reported by the next wait.
 */
export class Visitor {
    /** CometD: the class of the library under test. transport: "websocket", "long-polling" or "callback-polling". */
    constructor(CometD, server, transport, name) {
        this.journal = new Journal(name);
        this.transport = transport;
        this.secureKey = '';
        this.events = new Map();
        this.repeats = [];
        this.faults = [];
        this.last = 0;
        this.ordered = true;

        const cometd = this.cometd = new CometD(name);
        cometd.configure({url: `${server}/genesys/cometd`, logLevel: 'error', backoffIncrement: 100, maxBackoff: 400, maxNetworkDelay: PATIENCE});
        cometd.getTransportTypes().filter((type) => type !== transport).forEach((type) => cometd.unregisterTransport(type));
        cometd.addListener('/meta/handshake', (message) => this.journal.add({handshake: message.successful, reply: message}));
        cometd.addListener('/meta/connect', (message) => this.journal.add({connect: message.successful}));
    }

    until(what, condition) {
        return this.journal.until(what, () => {
            if (this.faults.length > 0) {
                throw this.faults[0];
            }
            return condition();
        });
    }

    /** Shakes hands and waits until the connection stands. */
    async connect() {
        this.cometd.handshake();
        await this.until('handshake', () => this.journal.entries.some((entry) => entry.handshake));
        assert.equal(this.negotiated(), this.transport);
        await this.until('connect', () => this.journal.entries.some((entry) => entry.connect));
    }

    /** The type of the transport in use. Version 8 made a property of what had been a method. */
    negotiated() {
        const transport = this.cometd.getTransport();
        return transport.type ?? transport.getType();
    }

    /** Only listens on the service channel, as most clients do. */
    listen() {
        this.cometd.addListener(CHANNEL, (message) => this.receive(message));
    }

    /** Subscribes to the service channel and waits for the server's consent. */
    async subscribe() {
        let reply;
        this.cometd.subscribe(CHANNEL, (message) => this.receive(message), {}, (message) => {
            reply = message;
            this.journal.add({subscribed: message.successful});
        });
        await this.until('reply to subscribe', () => reply);
        assert.equal(reply.successful, true);
        assert.equal(reply.subscription, CHANNEL);
    }

    receive(message) {
        try {
            this.check(message);
        } catch (error) {
            this.faults.push(error);
        }
        this.journal.add({note: message.data});
    }

    check(message) {
        const note = message.data;
        assert.ok(!('id' in message) && !('successful' in message), 'a notification has neither id nor successful');
        assert.ok([0, 1, 2].includes(note.statusCode), `statusCode ${note.statusCode}`);
        assert.ok(Array.isArray(note.messages), 'messages is an array');
        assert.equal(typeof note.chatEnded, 'boolean');
        assert.ok(Number.isInteger(note.nextPosition), 'nextPosition is a whole number');
        if (note.statusCode !== 0) {
            assert.ok(note.errors.length > 0);
            note.errors.forEach((error) => {
                assert.ok(Number.isInteger(error.code));
                assert.equal(typeof error.advice, 'string');
            });
            return;
        }
        assert.ok(!('errors' in note), 'errors come with failures only');
        ['chatId', 'userId', 'alias'].forEach((field) => assert.equal(typeof note[field], 'string', field));
        if (!note.chatEnded) {
            assert.match(note.secureKey, /^[A-Za-z0-9+/=_-]+$/);
            this.secureKey = note.secureKey;
        }
        let before = 0;
        for (const event of note.messages) {
            this.checkEvent(event);
            assert.ok(event.index > before, `index ${event.index} after ${before} in one notification`);
            before = event.index;
        }
        assert.ok(note.messages.length === 0 || note.nextPosition > before, 'nextPosition lies behind the last event');
    }

    checkEvent(event) {
        assert.ok(Number.isInteger(event.index) && event.index >= 1, `index ${event.index}`);
        assert.ok(Number.isInteger(event.utcTime));
        assert.equal(typeof event.from.nickname, 'string');
        assert.ok(Number.isInteger(event.from.participantId));
        assert.equal(typeof event.from.type, 'string');
        const known = this.events.get(event.index);
        if (known) {
            const identity = (one) => [one.type, one.from, one.type === 'Message' ? one.text : ''];
            assert.deepEqual(identity(event), identity(known), 'an index is never used twice');
            this.repeats.push(event.index);
            return;
        }
        // The answers to two HTTP requests may overtake each other on their way; a socket keeps the order.
        if (this.transport === 'websocket' && this.ordered) {
            assert.ok(event.index > this.last, `index ${event.index} after ${this.last}`);
        }
        this.last = Math.max(this.last, event.index);
        this.events.set(event.index, event);
    }

    /** Publishes one operation and waits for its acknowledgement, which must carry no data. */
    async publish(operation, fields = {}) {
        const reply = await this.publishRaw({operation, secureKey: this.secureKey, ...fields});
        assert.equal(reply.successful, true, `${operation} is accepted`);
        assert.ok(!('data' in reply), 'an acknowledgement carries no data');
    }

    /** Publishes and waits for the reply; then, if given, is called with it as soon as it arrives. */
    async publishRaw(data, then = () => {}) {
        let reply;
        this.cometd.publish(CHANNEL, data, {}, (message) => {
            reply = message;
            then(reply);
            this.journal.add({ack: data.operation, successful: reply.successful});
        });
        return this.until(`acknowledgement of ${data.operation}`, () => reply);
    }

    requestChat() {
        return this.publish('requestChat', {nickname: 'Vera', subject: 'test', text: '', userData: {source: 'test'}});
    }

    /** The events seen so far that match, by index. */
    matching(wanted) {
        return [...this.events.values()]
            .filter((event) => event.type === wanted.type &&
                (wanted.from === undefined || event.from.type === wanted.from) &&
                (wanted.text === undefined || event.text === wanted.text))
            .sort((a, b) => a.index - b.index);
    }

    /** Waits for an event of the given type, and of the given sender's type and text where they are named. */
    event(wanted) {
        return this.until(JSON.stringify(wanted), () => this.matching(wanted)[0]);
    }

    /** Says one line and waits for its own echo and for the agent's answer; returns both events. */
    async say(text) {
        await this.publish('sendMessage', {message: text});
        const own = await this.event({type: 'Message', from: 'Client', text});
        const answer = await this.event({type: 'Message', from: 'Agent', text: `echo: ${text}`});
        assert.ok(answer.index > own.index);
        return {own, answer};
    }

    /** Waits until the agent has joined and greeted. */
    async greeted() {
        const joined = await this.event({type: 'ParticipantJoined', from: 'Agent'});
        const greeting = await this.event({type: 'Message', from: 'Agent'});
        assert.ok(greeting.index > joined.index);
    }

    /** Ends the chat and waits until it has ended. */
    async end() {
        await this.publish('disconnect');
        const note = await this.until('end of the chat', () => this.notes().find((one) => one.chatEnded));
        assert.ok(note.messages.some((event) => event.type === 'ParticipantLeft' && event.from.type === 'Client'));
        return note;
    }

    /** The replies to the handshakes so far, in order. */
    handshakes() {
        return this.journal.entries.filter((entry) => 'handshake' in entry).map((entry) => entry.reply);
    }

    /** How each /meta/connect so far has ended, in order. */
    connects() {
        return this.journal.entries.filter((entry) => 'connect' in entry).map((entry) => entry.connect);
    }

    notes() {
        return this.journal.entries.filter((entry) => entry.note).map((entry) => entry.note);
    }

    /** Closes the connection; a chat that a failed test left open is ended first, so that its agent is free. */
    async close() {
        if (this.cometd.isDisconnected()) {
            return;
        }
        if (this.secureKey !== '' && !this.notes().some((note) => note.chatEnded)) {
            this.cometd.publish(CHANNEL, {operation: 'disconnect', secureKey: this.secureKey});
        }
        let closed = false;
        this.cometd.disconnect({}, () => {
            closed = true;
            this.journal.add({disconnected: true});
        });
        await this.journal.until('disconnect', () => closed);
    }
}
