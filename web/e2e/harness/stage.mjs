/*
 * Where a scenario plays: its servers, proxies and pages, all of which are gone afterwards. What went
 * wrong is left below results/.
 */
import assert from 'node:assert/strict';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Agent } from './agent.mjs';
import { Halley } from './halley.mjs';
import { Proxy } from './proxy.mjs';
import { PATIENCE } from './until.mjs';
import { Visitor } from './visitor.mjs';

const RESULTS = fileURLToPath(new URL('../results', import.meta.url));

export class Stage {
    #browser;
    #servers = [];
    #proxies = [];
    #contexts = [];
    #pages = [];
    #faults = [];
    #secrets = new Set();

    constructor(browser) {
        this.#browser = browser;
    }

    /** Plays a scenario on a stage of its own. */
    static async play(browser, name, scenario) {
        const stage = new Stage(browser);
        const folder = join(RESULTS, name.replaceAll(/[^a-z0-9]+/gi, '-').toLowerCase());
        await rm(folder, { recursive: true, force: true });
        try {
            await scenario(stage);
            await stage.#inspect();
        } catch (error) {
            await stage.#record(folder, error);
            throw error;
        } finally {
            await stage.#clear();
        }
    }

    /** Starts a server; see Halley.start. */
    async server(options) {
        const server = await Halley.start(options);
        this.#servers.push(server);
        return server;
    }

    /** Puts a network that can be broken in front of a server. */
    async proxy(server) {
        const proxy = await Proxy.start(server.port);
        this.#proxies.push(proxy);
        return proxy;
    }

    /** A browser of somebody's own: its cookies and storage are shared with nobody. */
    async context(options = {}) {
        const context = await this.#browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
        this.#contexts.push(context);
        return context;
    }

    /** A tab in a context. Errors of its scripts and breaches of its content policy fail the scenario. */
    async page(context, label) {
        const page = await context.newPage();
        page.setDefaultTimeout(PATIENCE);
        this.#pages.push({ page, label });
        page.on('pageerror', (error) => this.#faults.push(`${label}: ${error.stack ?? error}`));
        page.on('console', (message) => {
            if (/Content Security Policy/i.test(message.text())) this.#faults.push(`${label}: ${message.text()}`);
        });
        return page;
    }

    /** A visitor with a browser of his own, whose page is yet to be loaded. */
    async newVisitor(name, context) {
        return new Visitor(this, await this.page(context ?? (await this.context()), name), name);
    }

    /** A visitor who has started a chat. base: the address at which the page and the server are. */
    async visitor(base, name, options) {
        const visitor = await this.newVisitor(name);
        await visitor.load(`${base}/sample/`, options);
        await visitor.start();
        return visitor;
    }

    /** An agent with a browser of his own, signed in but not ready. */
    async agent(base, login) {
        const agent = new Agent(this, await this.page(await this.context(), login), login);
        await agent.signIn(base);
        return agent;
    }

    /** Notes what somebody wrote, which no log may hold. */
    secret(text) {
        this.#secrets.add(text);
    }

    /* What must hold after every scenario. */
    async #inspect() {
        assert.deepEqual(this.#faults, [], 'the pages run without errors');
        for (const server of this.#servers) {
            const log = await server.log();
            assert.doesNotMatch(log, /^panic:|^fatal error:|DATA RACE|level=ERROR|"level":"ERROR"/m, 'the server log');
            const told = [...this.#secrets].filter((text) => text.length > 5 && log.includes(text));
            assert.deepEqual(told, [], 'the server log holds no text of messages');
        }
    }

    async #record(folder, error) {
        await mkdir(folder, { recursive: true });
        const notes = [error.stack ?? String(error), ...this.#faults].join('\n\n');
        await writeFile(join(folder, 'error.txt'), notes);
        for (const [i, server] of this.#servers.entries()) {
            await writeFile(join(folder, `server-${i + 1}.log`), await server.log());
        }
        for (const [i, { page, label }] of this.#pages.entries()) {
            if (page.isClosed()) continue;
            const path = join(folder, `${i + 1}-${label.replaceAll(/\W+/g, '-')}.png`);
            await page.screenshot({ path }).catch((reason) => this.#faults.push(`No screenshot: ${reason.message}`));
        }
        console.error(`See ${folder}`);
    }

    async #clear() {
        await Promise.allSettled(this.#contexts.map((context) => context.close()));
        await Promise.allSettled(this.#proxies.map((proxy) => proxy.stop()));
        await Promise.allSettled(this.#servers.map((server) => server.remove()));
    }
}
