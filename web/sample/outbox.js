/*
 * The visitor's own messages that the server has not acknowledged yet. A message is acknowledged
 * when its echo arrives, never earlier; until then it is kept here and can be sent again.
 */
window.Halley = window.Halley || {};

(function (halley) {
    'use strict';

    // After this many attempts without an answer a message is given up, so that none is sent for ever.
    const MOST_ATTEMPTS = 5;

    class Outbox {
        /* messages: what an earlier page left, or []. changed: called after every change. */
        constructor(messages, changed) {
            this.messages = messages;
            this.changed = changed;
            this.refusals = 0;
        }

        add(text) {
            const message = {id: uniqueId(), text: text, accepted: false, failed: false, attempts: 0};
            this.messages.push(message);
            this.changed(this.messages);
            return message;
        }

        /* Counts an attempt to send a message; false if there have been enough, and the message has failed. */
        attempt(message) {
            message.attempts = (message.attempts || 0) + 1;
            if (message.attempts <= MOST_ATTEMPTS) {
                return true;
            }
            message.failed = true;
            this.changed(this.messages);
            return false;
        }

        /* The visitor does not want a failed message any more; returns it. */
        discard(id) {
            const at = this.messages.findIndex((one) => one.id === id && one.failed);
            const found = at < 0 ? undefined : this.messages.splice(at, 1)[0];
            this.changed(this.messages);
            return found;
        }

        /* The messages to send again once the chat is restored. */
        open() {
            return this.messages.filter((message) => !message.failed);
        }

        /* The server's reply to the publish of a message. It says only that the request was taken. */
        replied(message, successful) {
            message.accepted = successful;
            this.blame();
        }

        /* The echo of one's own message, a Message event. */
        echoed(event) {
            const id = (event.eventAttributes || {})['halley-id'];
            // A server that does not return the id still returns the text.
            const at = this.messages.findIndex((one) => (id ? one.id === id : one.text === event.text));
            if (at >= 0) {
                this.messages.splice(at, 1);
                this.changed(this.messages);
            }
        }

        /* The server refused a request for good (statusCode 2). */
        refused() {
            this.refusals++;
            this.blame();
        }

        /* The chat is over: what was not acknowledged never will be. */
        over() {
            this.open().forEach((message) => {
                message.failed = true;
            });
            this.changed(this.messages);
        }

        /*
         * A refusal does not name the request it belongs to. Requests are answered in order, so it
         * belongs to the oldest message that was accepted and has no echo.
         */
        blame() {
            const open = this.open();
            const message = this.refusals ? open.find((one) => one.accepted) : undefined;
            if (message) {
                message.failed = true;
                this.changed(this.messages);
            }
            if (message || !open.length) {
                this.refusals = 0;
            }
        }
    }

    function uniqueId() {
        // crypto.randomUUID is missing on plain http pages of other hosts.
        const bytes = window.crypto.getRandomValues(new Uint8Array(16));
        return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
    }

    halley.Outbox = Outbox;
})(window.Halley);
