/*
 * The connection to the chat server: CometD, its listeners, and what to do when it breaks. It knows
 * channels and transports; what the messages mean is the business of visitor.js.
 */
window.Halley = window.Halley || {};

(function (halley) {
    'use strict';

    // Consecutive failed handshakes after which the page gives up. With a chat to bring back it is
    // far more patient, because a server that restarts needs a while.
    const HANDSHAKES_TO_START = 5;
    const HANDSHAKES_TO_RESTORE = 60;

    // Milliseconds until the connection is made again after the server closed it.
    const AGAIN = 3000;

    // The longest message in bytes, as the server takes it. CometD's own default is far less than what a visitor may write.
    const LARGEST = 250000;

    class Connection {
        /*
         * settings: {url, websocket}. channel: where requests go to and notifications come from.
         * visitor: has hasChat() and the methods opened, alive, lost, unsent, notified and gaveUp.
         * toast(text, mood): shows a toast.
         */
        constructor(settings, channel, visitor, toast) {
            this.settings = settings;
            this.channel = channel;
            this.visitor = visitor;
            this.toast = toast;
            this.connected = false;
            this.closed = false;
            this.failures = 0;
            this.timer = 0;
        }

        open() {
            const cometd = this.cometd = new window.org.cometd.CometD('halley-sample');
            cometd.configure({
                url: this.settings.url, connectTimeout: 5000, backoffIncrement: 1000, maxBackoff: 5000,
                maxSendBayeuxMessageSize: LARGEST
            });
            cometd.unregisterTransport('callback-polling');
            if (!this.settings.websocket) {
                cometd.unregisterTransport('websocket');
            }
            cometd.registerExtension('timestamp', new window.org.cometd.TimeStampExtension());

            const listen = (channel, handler) => cometd.addListener(channel, (message) => {
                if (!this.closed) {
                    handler(message);
                }
            });
            listen('/meta/handshake', (message) => this.onHandshake(message));
            listen('/meta/connect', (message) => this.onConnect(message));
            listen('/meta/disconnect', () => this.onDisconnect());
            listen('/meta/publish', (reply) => reply.successful || this.visitor.unsent(reply.error || ''));
            listen(this.channel, (message) => this.visitor.notified(message.data));

            this.toast('Connecting to the chat server…');
            cometd.handshake();
        }

        close() {
            this.closed = true;
            window.clearTimeout(this.timer);
            this.cometd.disconnect();
        }

        transport() {
            const transport = this.cometd.getTransport();
            return transport ? transport.getType() : '';
        }

        /* done, if given, is called with the reply, which says only that the request was taken. */
        publish(data, done) {
            if (this.closed || this.cometd.isDisconnected()) {
                return;
            }
            this.cometd.publish(this.channel, data, (reply) => {
                if (!this.closed && done) {
                    done(reply);
                }
            });
        }

        onHandshake(message) {
            if (message.successful) {
                this.failures = 0;
                this.connected = true;
                this.toast(message.reestablish ? 'The connection is back' : 'Connected to the chat server', 'good');
                this.visitor.opened(message.secureKey || '');
                return;
            }
            this.failures++;
            if (!this.visitor.hasChat() || this.failures === 1) {
                this.toast('The chat server cannot be reached, trying again', 'bad');
            }
            this.down();
            if (this.failures >= (this.visitor.hasChat() ? HANDSHAKES_TO_RESTORE : HANDSHAKES_TO_START)) {
                this.close();
                this.visitor.gaveUp();
                return;
            }
            this.handshakeLater(Math.min(this.failures, 5) * 1000);
        }

        onConnect(message) {
            if (!message.successful) {
                if (this.connected) {
                    this.toast('The connection is lost', 'bad');
                }
                this.down();
                return;
            }
            const back = !this.connected;
            if (back) {
                this.connected = true;
                this.toast('The connection is back', 'good');
            }
            this.visitor.alive(back);
        }

        onDisconnect() {
            // Asked for by the server: a page that disconnects has closed before this arrives.
            this.toast('The chat server closed the connection', 'bad');
            this.down();
            this.handshakeLater(AGAIN);
        }

        down() {
            this.connected = false;
            this.visitor.lost();
        }

        /*
         * CometD mostly tries again by itself. It stops for good when the server says so, and when
         * long-polling fails on its first use against another origin, for it then takes the
         * browser to be unable to do that.
         */
        handshakeLater(delay) {
            window.clearTimeout(this.timer);
            this.timer = window.setTimeout(() => {
                if (!this.closed && this.cometd.isDisconnected()) {
                    this.cometd.handshake();
                }
            }, delay);
        }
    }

    halley.Connection = Connection;
})(window.Halley);
