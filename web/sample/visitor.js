/*
 * The visitor's side of one chat: its operations, its events, and how it is brought back after a
 * broken connection. It knows nothing of the page; it tells the object given as "page" what
 * happened, and the page decides how that looks.
 */
window.Halley = window.Halley || {};

(function (halley) {
    'use strict';

    // Milliseconds until a request is repeated: one that got no answer, and one that the server
    // asked to repeat.
    const UNANSWERED = 10000;
    const REPEAT = 3000;

    // With this key in its user data an empty notification says that another session listens to the chat now.
    const DISPLACED = 'halley-displaced';

    class Visitor {
        /*
         * settings: {url, service, nickname, subject, websocket}.
         * stored: {secureKey, chatId, pending} of an earlier page, or {}.
         * page: an object with the methods status, toast, advice, show, pendingChanged, refused,
         * gaveUp, ended and changed (the key or the last index has changed).
         * refusedKeys: a Set of keys that a server has refused, kept by the page across chats.
         */
        constructor(settings, stored, page, refusedKeys) {
            this.settings = settings;
            this.page = page;
            this.refusedKeys = refusedKeys;
            this.secureKey = stored.secureKey || '';
            this.chatId = stored.chatId || '';
            this.outbox = new halley.Outbox(stored.pending || [], (messages) => page.pendingChanged(messages));
            this.connection = new halley.Connection(settings, '/service/chatV2/' + settings.service, this, page.toast);
            this.seen = new Set();
            this.last = 0;
            this.complete = 0;
            this.bindWanted = false;
            this.binding = null;
            this.ready = false;
            this.offline = false;
            this.leaving = false;
            this.timer = 0;
        }

        start() {
            this.page.status('connecting');
            this.connection.open();
        }

        // ---- what the visitor does --------------------------------------------------------------

        say(text) {
            const message = this.outbox.add(text);
            if (this.ready) {
                this.send(message);
            }
        }

        /* Sends a failed message anew, or forgets it. */
        retry(id) {
            const message = this.outbox.discard(id);
            if (message) {
                this.say(message.text);
            }
        }

        discard(id) {
            this.outbox.discard(id);
        }

        /* This page wants to listen again, after another one took the chat over. */
        listen() {
            if (this.connection.connected) {
                this.bind();
            }
        }

        typing(operation, preview) {
            if (this.ready) {
                this.publish(operation, {message: preview});
            }
        }

        /* Without a connection the wish is kept, and carried out as soon as there is one. */
        end() {
            this.leaving = true;
            if (this.ready) {
                this.publish('disconnect');
            }
        }

        send(message) {
            if (!this.outbox.attempt(message)) {
                return;
            }
            this.publish('sendMessage', {
                message: message.text,
                eventAttributes: {'halley-id': message.id}
            }, (reply) => this.outbox.replied(message, reply.successful));
        }

        publish(operation, fields, done) {
            this.connection.publish(Object.assign({operation: operation, secureKey: this.secureKey}, fields), done);
        }

        // ---- start and restore ------------------------------------------------------------------

        /*
         * Ties the chat to the present Bayeux session: asks for a chat when there is none yet, and
         * otherwise for the events from the last one that is surely complete. It is finished when
         * the server has both accepted the request and answered it; only then are unacknowledged
         * messages sent again, so that echoes contained in the answer are seen first.
         */
        bind() {
            const binding = {accepted: false, answered: false};
            this.binding = binding;
            this.bindWanted = false;
            this.ready = false;
            const done = (reply) => {
                binding.accepted = reply.successful;
                this.bound();
            };
            if (this.secureKey) {
                this.publish('requestNotifications', {transcriptPosition: Math.max(1, this.complete), message: ''}, done);
                this.bindLater(UNANSWERED);
            } else {
                this.publish('requestChat', {
                    nickname: this.settings.nickname,
                    subject: this.settings.subject,
                    text: '',
                    userData: {source: 'halley-sample'}
                }, done);
            }
        }

        bindLater(delay) {
            window.clearTimeout(this.timer);
            this.timer = window.setTimeout(() => {
                if (this.connection.connected && !this.ready) {
                    this.bind();
                }
            }, delay);
        }

        bound() {
            if (!this.binding || !this.binding.accepted || !this.binding.answered) {
                return;
            }
            window.clearTimeout(this.timer);
            this.binding = null;
            this.ready = true;
            this.markComplete();
            this.page.status('open', this.connection.transport());
            this.outbox.open().forEach((message) => this.send(message));
            if (this.leaving) {
                this.publish('disconnect');
            }
        }

        /*
         * Remembers that nothing is missing up to the last event shown. After a loss this stands
         * still until the restore is answered, because a server that has not noticed the loss
         * throws events at the dead connection and delivers only later ones over the new one.
         */
        markComplete() {
            if (this.ready) {
                this.complete = this.last;
            }
        }

        // ---- what the connection reports --------------------------------------------------------

        hasChat() {
            return this.secureKey !== '';
        }

        /* A new Bayeux session. offeredKey: the key of this browser's live chat, if the server told it. */
        opened(offeredKey) {
            if (!this.hasChat() && !this.refusedKeys.has(offeredKey)) {
                this.secureKey = offeredKey;
            }
            this.bind();
        }

        /* The Bayeux session is known to be good; back: for the first time after a loss. */
        alive(back) {
            this.markComplete();
            // A requestChat that went out may have been served, and asking again without a key would
            // open a second chat. Its own publish says when it has to be repeated (see unsent).
            if (this.bindWanted || (back && this.hasChat())) {
                this.bind();
            } else if (back) {
                this.page.status('connecting');
            }
        }

        lost() {
            this.ready = false;
            this.binding = null;
            this.page.status(this.hasChat() ? 'lost' : 'connecting');
        }

        /* A request was refused by the server with an error, or (error "") may not have arrived. */
        unsent(error) {
            if (error !== '' && error.indexOf('402') !== 0) {
                this.refuse([error], false);
                return;
            }
            this.ready = false;
            this.bindWanted = true;
            // For an unknown session (402) CometD shakes hands again, and that binds.
            if (error === '' && this.connection.connected) {
                this.bindLater(REPEAT);
            }
        }

        gaveUp() {
            this.stop();
            this.page.gaveUp();
        }

        // ---- what the chat reports --------------------------------------------------------------

        notified(response) {
            if (response.statusCode === 1) {
                if (!this.offline) {
                    this.offline = true;
                    this.page.toast('The chat server is offline', 'bad');
                }
                this.page.status('offline');
                this.ready = false;
                this.bindLater(REPEAT);
                return;
            }
            if (this.offline) {
                this.offline = false;
                this.page.toast('The chat server is back online', 'good');
            }
            if (response.statusCode === 2) {
                const advices = (response.errors || []).map((error) => String(error.advice || error.code));
                this.refuse(advices, response.chatEnded === true);
                return;
            }
            if ((response.userData || {})[DISPLACED] === 'true') {
                this.page.status('displaced');
                return;
            }
            this.secureKey = response.secureKey || this.secureKey;
            this.chatId = response.chatId || this.chatId;
            (response.messages || []).slice().sort((a, b) => a.index - b.index).forEach((event) => this.happened(event));
            if (response.chatEnded) {
                this.over();
                return;
            }
            // Over long-polling two answers may overtake each other; there only /meta/connect counts.
            if (this.connection.transport() === 'websocket') {
                this.markComplete();
            }
            this.page.changed();
            if (this.binding) {
                this.binding.answered = true;
                this.bound();
            }
        }

        happened(event) {
            if (this.seen.has(event.index)) {
                return;
            }
            this.seen.add(event.index);
            this.last = Math.max(this.last, event.index);
            const own = event.from.type === 'Client';
            if (own && event.type === 'Message') {
                this.outbox.echoed(event);
            }
            this.page.show(event, own);
        }

        /* statusCode 2, or a publish that the server refused: repeating the request is useless. */
        refuse(advices, chatEnded) {
            if (this.binding || !this.hasChat()) {
                this.refusedKeys.add(this.secureKey);
                this.stop();
                this.outbox.over();
                this.page.refused(advices);
                return;
            }
            this.page.advice(advices);
            if (chatEnded) {
                this.over();
                return;
            }
            this.outbox.refused();
        }

        over() {
            this.stop();
            this.outbox.over();
            this.page.ended();
        }

        /* Ends the connection; the chat itself goes on at the server unless it has ended there. */
        stop() {
            this.ready = false;
            this.binding = null;
            window.clearTimeout(this.timer);
            this.connection.close();
        }
    }

    halley.Visitor = Visitor;
})(window.Halley);
