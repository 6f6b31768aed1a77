import assert from 'node:assert/strict';

/** Milliseconds a condition may take to become true, on a machine that is busy with much else. */
export const PATIENCE = 60000;

/**
 * Something that is appended to and waited for: a list of entries, and promises that are settled
 * as soon as an entry makes their condition true.
 */
export class Journal {
    constructor(name) {
        this.name = name;
        this.entries = [];
        this.waiting = new Set();
    }

    add(entry) {
        this.entries.push(entry);
        for (const wait of [...this.waiting]) {
            wait();
        }
    }

    /**
     * Resolves with the first truthy value of condition(), which is asked now and after every
     * entry. Rejects after PATIENCE with what was waited for and what came instead.
     */
    until(what, condition) {
        return new Promise((resolve, reject) => {
            const settle = (how, value) => {
                clearTimeout(timer);
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
                    this.entries.map((entry) => '  ' + JSON.stringify(entry)).join('\n'),
            })), PATIENCE);
            this.waiting.add(look);
            look();
        });
    }
}
