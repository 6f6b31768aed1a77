/*
 * The page: a form, a conversation, toasts and a dialog, drawn by Vue from the data below. What is
 * received is shown as text only, never as markup.
 */
(function () {
    'use strict';

    const halley = window.Halley;
    const STORE = 'halley-sample';
    const TOAST_TIME = 5000;
    const TYPING_TIME = 12000;
    const MOST_TOASTS = 2;

    // What the server takes in a message, in bytes of UTF-8, and how near to it the page counts down.
    const MOST_BYTES = 16384;
    const NEAR = 1000;

    // The longest preview that is sent while the visitor types, in code points.
    const PREVIEW = 1000;

    if (!window.Vue || !window.org || !window.org.cometd) {
        const root = document.getElementById('app');
        root.textContent = 'The libraries of this page are missing: run "npm install" in its folder and load it again.';
        root.removeAttribute('v-cloak');
        return;
    }

    // Session storage outlives a reload and belongs to this tab alone. It may be forbidden; then
    // a reload starts afresh.
    const store = {
        read() {
            try {
                return JSON.parse(window.sessionStorage.getItem(STORE)) || {};
            } catch (error) {
                return {};
            }
        },
        write(value) {
            try {
                window.sessionStorage.setItem(STORE, JSON.stringify(value));
            } catch (error) {
                window.console.info('The chat cannot be stored and will not survive a reload.', error);
            }
        },
        clear() {
            try {
                window.sessionStorage.removeItem(STORE);
            } catch (error) {
                window.console.info('The stored chat cannot be removed.', error);
            }
        }
    };

    // A link must not make this page show what some other server sends, so an address in it counts only where the page
    // is tried out: from the file system and on this computer.
    function serverFrom(given, served) {
        const local = ['localhost', '127.0.0.1', '[::1]'].includes(window.location.hostname);
        if (!given || (served && !local && new URL(given, window.location).origin !== window.location.origin)) {
            return '';
        }
        return given;
    }

    function initialForm() {
        const query = new URLSearchParams(window.location.search);
        const served = window.location.protocol === 'http:' || window.location.protocol === 'https:';
        const origin = served ? window.location.origin : 'http://127.0.0.1:8080';
        return {
            url: serverFrom(query.get('url'), served) || origin + '/genesys/cometd',
            service: query.get('service') || 'customer-support',
            nickname: query.get('nickname') || '',
            subject: query.get('subject') || '',
            websocket: true
        };
    }

    const STATUS = {
        idle: 'Not connected',
        connecting: 'Connecting…',
        open: 'Connected',
        lost: 'Reconnecting, your messages are safe',
        offline: 'The chat server is offline, your messages are safe',
        displaced: 'This chat is open in another window',
        ended: 'Chat ended'
    };

    // Neither belongs into Vue's data: a proxy around CometD would only be in the way.
    let visitor = null;
    let typing = null;
    const refusedKeys = new Set();

    const app = window.Vue.createApp({
        data() {
            return {
                form: initialForm(),
                state: 'idle',
                transport: '',
                rows: [],
                pending: [],
                draft: '',
                typist: '',
                ending: false,
                toasts: [],
                advices: []
            };
        },

        computed: {
            active() {
                return this.state !== 'idle' && this.state !== 'ended';
            },

            left() {
                return MOST_BYTES - new window.TextEncoder().encode(this.draft.trim()).length;
            },

            limitText() {
                return this.left < 0 ? 'Too long by ' + -this.left : this.left + ' left';
            },

            nearLimit() {
                return this.left < NEAR;
            },

            statusText() {
                return STATUS[this.state] + (this.state === 'open' ? ' over ' + this.transport : '');
            }
        },

        created() {
            const stored = store.read();
            if (stored.secureKey && stored.settings) {
                Object.assign(this.form, stored.settings);
                this.open(stored);
            }
        },

        methods: {
            startChat() {
                this.open({});
            },

            /* Starts a chat, or restores the stored one. */
            open(stored) {
                const settings = Object.assign({}, this.form);
                this.rows = [];
                this.pending = [];
                this.advices = [];
                visitor = new halley.Visitor(settings, stored, this.pageFor(settings), refusedKeys);
                typing = new halley.Typing((operation, preview) => visitor.typing(operation, Array.from(preview).slice(0, PREVIEW).join('')));
                this.pending = visitor.outbox.messages.slice();
                visitor.start();
                this.$nextTick(() => this.$refs.composer && this.$refs.composer.focus());
            },

            send() {
                const text = this.draft.trim();
                if (this.left < 0) {
                    return;
                }
                if (text !== '') {
                    typing.forget();
                    this.draft = '';
                    visitor.say(text);
                }
                this.$refs.composer.focus();
            },

            enter(event) {
                // Safari marks the Enter that confirms an input method's text with the key code 229 alone.
                if (!event.shiftKey && !event.isComposing && event.keyCode !== 229) {
                    event.preventDefault();
                    this.send();
                }
            },

            typed() {
                typing.changed(this.draft);
            },

            retry(id) {
                visitor.retry(id);
            },

            discard(id) {
                visitor.discard(id);
            },

            listen() {
                visitor.listen();
            },

            askToEnd() {
                this.ending = true;
                this.$nextTick(() => this.$refs.keep.focus());
            },

            keepChat() {
                this.ending = false;
                this.$nextTick(() => this.$refs.composer && this.$refs.composer.focus());
            },

            endChat() {
                this.ending = false;
                typing.forget();
                visitor.end();
            },

            closeAdvice() {
                this.$refs.dialog.close();
            },

            toast(text, mood) {
                const toast = {id: Symbol('toast'), text: text, mood: mood || 'plain'};
                this.toasts.push(toast);
                this.toasts = this.toasts.slice(-MOST_TOASTS);
                window.setTimeout(() => {
                    this.toasts = this.toasts.filter((one) => one.id !== toast.id);
                }, TOAST_TIME);
            },

            showAdvice(advices) {
                this.advices = this.advices.concat(advices);
                this.$nextTick(() => this.$refs.dialog.open || this.$refs.dialog.showModal());
            },

            /* The conversation is over for this page: the form comes back. */
            leave(state) {
                typing.forget();
                this.setTypist('');
                this.state = state;
                this.$nextTick(() => this.$refs.start && this.$refs.start.focus());
            },

            /* What a Visitor tells the page; see visitor.js. */
            pageFor(settings) {
                const save = () => store.write({
                    settings: settings,
                    secureKey: visitor.secureKey,
                    chatId: visitor.chatId,
                    index: visitor.last,
                    pending: visitor.outbox.messages
                });
                return {
                    status: (state, transport) => {
                        this.state = state;
                        this.transport = transport || this.transport;
                    },
                    toast: (text, mood) => this.toast(text, mood),
                    advice: (advices) => this.showAdvice(advices),
                    changed: save,
                    show: (event, own) => this.show(event, own),
                    pendingChanged: (messages) => {
                        this.pending = messages.map((message) => Object.assign({}, message));
                        this.follow();
                        save();
                    },
                    refused: (advices) => {
                        store.clear();
                        this.leave('idle');
                        this.showAdvice(advices);
                    },
                    gaveUp: () => {
                        this.toast('The chat server could not be reached', 'bad');
                        this.leave('idle');
                    },
                    ended: () => {
                        store.clear();
                        this.toast('Chat ended');
                        this.leave('ended');
                    }
                };
            },

            show(event, own) {
                if (!own) {
                    this.setTypist(event.type === 'TypingStarted' ? event.from.nickname : '');
                }
                const row = halley.rowOf(event, own);
                if (!row) {
                    return;
                }
                const at = this.rows.findIndex((one) => one.index > row.index);
                this.rows.splice(at < 0 ? this.rows.length : at, 0, row);
                this.follow();
            },

            setTypist(name) {
                window.clearTimeout(this.typistTimer);
                this.typist = name;
                if (name !== '') {
                    this.typistTimer = window.setTimeout(() => this.setTypist(''), TYPING_TIME);
                }
            },

            /* Keeps the newest line in view, unless the visitor has scrolled up to read. */
            follow() {
                const log = this.$refs.log;
                const atEnd = !log || log.scrollHeight - log.scrollTop - log.clientHeight < 40;
                this.$nextTick(() => {
                    if (atEnd && this.$refs.log) {
                        this.$refs.log.scrollTop = this.$refs.log.scrollHeight;
                    }
                });
            }
        }
    });

    app.mount('#app');
})();
