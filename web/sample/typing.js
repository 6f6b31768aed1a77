/*
 * When to tell the other side that the visitor types: at the first key, every five seconds while
 * the text changes, and not any more after a quiet period or when the text is gone.
 */
window.Halley = window.Halley || {};

(function (halley) {
    'use strict';

    const REPEAT = 5000;
    const QUIET = 7000;

    class Typing {
        /* publish(operation, preview) is called with startTyping or stopTyping. */
        constructor(publish) {
            this.publish = publish;
            this.active = false;
            this.told = '';
            this.text = '';
            this.repeatTimer = 0;
            this.quietTimer = 0;
        }

        changed(text) {
            this.text = text;
            if (text.trim() === '') {
                this.stop();
                return;
            }
            window.clearTimeout(this.quietTimer);
            this.quietTimer = window.setTimeout(() => this.stop(), QUIET);
            if (!this.active) {
                this.active = true;
                this.tell();
            }
        }

        tell() {
            if (this.text !== this.told) {
                this.told = this.text;
                this.publish('startTyping', this.text);
            }
            this.repeatTimer = window.setTimeout(() => this.tell(), REPEAT);
        }

        stop() {
            if (this.active) {
                this.publish('stopTyping', this.text);
            }
            this.forget();
        }

        /* The message itself ends the typing; nothing needs to be told. */
        forget() {
            window.clearTimeout(this.repeatTimer);
            window.clearTimeout(this.quietTimer);
            this.active = false;
            this.told = '';
            this.text = '';
        }
    }

    halley.Typing = Typing;
})(window.Halley);
