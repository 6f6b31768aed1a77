/* A visitor at the sample page. */
import { fileURLToPath } from 'node:url';
import { until } from './until.mjs';

/** The sample page in the file system, as somebody opens it who has no server for it. */
export const sampleFile = new URL('../../sample/index.html', import.meta.url);
export const sampleLibraries = fileURLToPath(new URL('node_modules', sampleFile));

export class Visitor {
    #page;
    #stage;
    name;

    constructor(stage, page, name) {
        this.#stage = stage;
        this.#page = page;
        this.name = name;
    }

    get page() {
        return this.#page;
    }

    /** Loads the page and fills in the form; address is where the page is, server where its chat server is. */
    async load(address, { server, service = 'customer-support', subject = '', websocket = true } = {}) {
        const url = new URL(address);
        url.searchParams.set('service', service);
        url.searchParams.set('nickname', this.name);
        url.searchParams.set('subject', subject);
        if (server) url.searchParams.set('url', server);
        await this.#page.goto(url.href);
        await this.part('websocket').setChecked(websocket);
    }

    /** Presses Start and waits for the chat. */
    async start() {
        await this.part('start').click();
        await this.isConnected();
    }

    part(name) {
        return this.#page.locator(`[data-test="${name}"]`);
    }

    status() {
        return this.part('status').textContent();
    }

    /** Waits until the chat is bound to a living connection. */
    isConnected(options) {
        return until(`${this.name} is connected`, async () => (await this.status()).startsWith('Connected'), options);
    }

    hasStatus(words, options) {
        return until(`${this.name} sees "${words}"`, async () => (await this.status()).startsWith(words), options);
    }

    async say(text) {
        this.#stage.secret(text);
        await this.part('composer').fill(text);
        await this.part('composer').press('Enter');
    }

    /** Ends the chat, and says yes to the question. */
    async end() {
        await this.part('end').click();
        await this.part('end-confirm').click();
    }

    /** Every acknowledged line of the page, from top to bottom: {index, from, text}. */
    lines() {
        return this.part('message').evaluateAll((rows) =>
            rows.map((row) => ({
                index: Number(row.dataset.index),
                from: row.dataset.from,
                text: row.querySelector('.text').textContent,
            })),
        );
    }

    /** Every acknowledged line that somebody wrote: {index, text}. */
    async said() {
        return (await this.lines())
            .filter((line) => line.from !== 'system')
            .map(({ index, text }) => ({ index, text }));
    }

    /** The own lines that are not acknowledged. */
    pending() {
        return this.part('pending').locator('.text').allTextContents();
    }

    /** Waits for a line with this text, and returns it. */
    sees(text, options) {
        return until(
            `${this.name} sees the line "${text}"`,
            async () => (await this.lines()).find((line) => line.text === text),
            options,
        );
    }

    /** Waits until everything that the visitor wrote is acknowledged. */
    isSettled(options) {
        return until(
            `everything that ${this.name} wrote is acknowledged`,
            async () => (await this.part('pending').count()) === 0,
            options,
        );
    }

    /** The key of the chat that the page holds. */
    key() {
        return this.#page.evaluate(() => JSON.parse(sessionStorage.getItem('halley-sample') ?? '{}').secureKey ?? '');
    }
}
