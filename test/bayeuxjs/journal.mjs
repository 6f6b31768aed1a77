import assert from 'node:assert/strict';

/** Milliseconds a condition may take to become true, on a machine that is busy with much else. */
export const PATIENCE = 60000;

/** A promise for the end of a duration. Only for tests whose subject is that duration. */
export const pass = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** A list of what happened, and promises that are settled as soon as an entry makes their condition true. */
export class Journal {
    constructor(name) {
        this.name = name;
        this.entries = [];
        this.waiting = new Set();
    }

    add(entry) {
        this.entries.push(entry);
        for (const look of [...this.waiting]) {
            look();
        }
    }

    /**
     * Resolves with the first truthy value of condition(), which is asked now, after every entry and, for
     * what makes no entry, every few milliseconds. Rejects after PATIENCE with what was waited for and what came instead.
     */
    until(what, condition) {
        return new Promise((resolve, reject) => {
            const settle = (how, value) => {
                clearTimeout(timer);
                clearInterval(again);
                this.waiting.delete(look);
                how(value);
            };
            const look = () => {
                try {
                    const value = condition();
                    if (value) {
                        settle(resolve, value);
                    }
                } catch (error) {
                    settle(reject, error);
                }
            };
            const timer = setTimeout(() => settle(reject, new assert.AssertionError({
                message: `${this.name}: no ${what} within ${PATIENCE} ms; seen so far:\n` +
                    this.entries.slice(-40).map((entry) => '  ' + JSON.stringify(entry)).join('\n'),
            })), PATIENCE);
            const again = setInterval(look, 20);
            this.waiting.add(look);
            look();
        });
    }
}
