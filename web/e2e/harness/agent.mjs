/* An agent at the desk. */
import { until } from './until.mjs';

export const PASSWORD = 'halley-demo';

export class Agent {
    #page;
    #stage;
    login;

    constructor(stage, page, login) {
        this.#stage = stage;
        this.#page = page;
        this.login = login;
    }

    get page() {
        return this.#page;
    }

    async signIn(base) {
        await this.#page.goto(`${base}/desk/`);
        await this.part('login').fill(this.login);
        await this.part('password').fill(PASSWORD);
        await this.part('sign-in').click();
        await this.isConnected();
    }

    /** The cookie of the signed-in agent. */
    async cookie() {
        const cookies = await this.#page.context().cookies();
        return cookies.find((one) => one.name === 'HALLEY_DESK').value;
    }

    part(name) {
        return this.#page.locator(`[data-test="${name}"]`);
    }

    isConnected(options) {
        return until(
            `${this.login}'s desk is connected`,
            async () => (await this.part('connection').getAttribute('data-phase', { timeout: 2_000 })) === 'up',
            options,
        );
    }

    async goReady() {
        await this.part('ready').click();
        await this.hasPresence('Ready');
    }

    hasPresence(words, options) {
        return until(
            `${this.login} is shown "${words}"`,
            async () => (await this.part('presence-text').textContent({ timeout: 2_000 })) === words,
            options,
        );
    }

    /** Waits for the offer of a visitor's chat, and returns its card. */
    async isOffered(name, options) {
        const card = this.part('offer').filter({ hasText: name });
        await until(`${this.login} is offered the chat of ${name}`, async () => (await card.count()) === 1, options);
        return card;
    }

    /** Accepts the chat of a visitor and waits until it is open; returns its id. */
    async accept(name, options) {
        const card = await this.isOffered(name, options);
        const chat = await card.getAttribute('data-chat');
        await card.locator('[data-test="offer-accept"]').click();
        await this.isIn(chat);
        return chat;
    }

    /** Waits until a chat is the one in view and can be written in. */
    isIn(chat) {
        return until(`${this.login} is in the chat ${chat}`, async () => {
            const current = await this.row(chat).getAttribute('aria-current', { timeout: 2_000 });
            return current === 'true' && (await this.part('composer').isEnabled({ timeout: 2_000 }));
        });
    }

    /** The row of a chat in the list of the agent's own. */
    row(chat) {
        return this.#page.locator(`[data-test="chat-row"][data-chat="${chat}"]`);
    }

    async say(text) {
        this.#stage.secret(text);
        await this.part('composer').fill(text);
        await this.part('composer').press('Enter');
    }

    /** Writes a line for staff alone, with the switch as it is found, and leaves it there. */
    async sayToStaff(text) {
        await this.part('audience-staff').click();
        await this.say(text);
    }

    /** Waits until the composer writes for "all" or for "staff". */
    writesFor(audience, options) {
        return until(
            `${this.login} writes for ${audience}`,
            async () =>
                (await this.part('composer-frame').getAttribute('data-audience', { timeout: 500 })) === audience,
            options,
        );
    }

    /** Shares a file in the open chat. */
    async attach(name, text) {
        const file = { name, mimeType: 'application/octet-stream', buffer: Buffer.from(text) };
        await this.part('attach-choice').setInputFiles(file);
    }

    async end() {
        await this.part('end').click();
        await this.part('end-confirm').click();
    }

    /** Leaves the open chat, and says yes to the question. */
    async leave() {
        await this.part('leave').click();
        await this.part('leave-confirm').click();
    }

    /** Every line of the open chat that has an index, from top to bottom: {index, from, text}. */
    lines() {
        return this.part('message').evaluateAll((rows) =>
            rows
                .filter((row) => row.dataset.index !== undefined)
                .map((row) => ({
                    index: Number(row.dataset.index),
                    from: row.dataset.from,
                    text: (row.querySelector('.bubble')?.textContent ?? row.firstChild.textContent).trim(),
                })),
        );
    }

    /** Every acknowledged line that somebody wrote: {index, text}. */
    async said() {
        return (await this.lines())
            .filter((line) => line.from !== 'system')
            .map(({ index, text }) => ({ index, text }));
    }

    /** Waits for a line with this text, and returns it. */
    sees(text, options) {
        return until(
            `${this.login} sees the line "${text}"`,
            async () => (await this.lines()).find((line) => line.text === text),
            options,
        );
    }

    /** The own lines that are not acknowledged. */
    pending() {
        return this.#page.locator('[data-test="message"][data-state] .bubble').allTextContents();
    }

    /** Waits until everything that the agent wrote is acknowledged. */
    isSettled(options) {
        return until(
            `everything that ${this.login} wrote is acknowledged`,
            async () => (await this.#page.locator('[data-test="message"][data-state]').count()) === 0,
            options,
        );
    }

    /** Waits until the open chat is shown as over. */
    seesEnd(options) {
        return until(`${this.login} sees that the chat is over`, () => this.part('done').isVisible(), options);
    }
}
