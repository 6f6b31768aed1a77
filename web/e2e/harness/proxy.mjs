/*
 * A network that can be broken: a TCP proxy between a browser and a server, for any test that needs
 * one. Run by itself it forwards and breaks at the keyboard's word:
 *
 *     node proxy.mjs 127.0.0.1:8080 127.0.0.1:9000      then: cut, swallow, mend or quit
 */
import net from 'node:net';
import readline from 'node:readline';
import { fileURLToPath } from 'node:url';

/** What happens to bytes: they pass, connections are cut and refused, or everything vanishes in silence. */
const PASS = 'pass';
const CUT = 'cut';
const SWALLOW = 'swallow';

export class Proxy {
    #target;
    #server;
    #mode = PASS;
    #pairs = new Set();

    /** Forwards from a port of 127.0.0.1 (0: any free one) to a port there. */
    static async start(targetPort, port = 0) {
        const proxy = new Proxy();
        proxy.#target = targetPort;
        proxy.#server = net.createServer((socket) => proxy.#accept(socket));
        await new Promise((resolve, reject) => {
            proxy.#server.once('error', reject);
            proxy.#server.listen(port, '127.0.0.1', resolve);
        });
        return proxy;
    }

    get port() {
        return this.#server.address().port;
    }

    get base() {
        return `http://127.0.0.1:${this.port}`;
    }

    /** Resets every connection, and every new one at once. */
    cut() {
        this.#mode = CUT;
        for (const pair of this.#pairs) pair.reset();
    }

    /**
     * Swallows bytes both ways without a word to either end, as a path does that has lost its state. A
     * connection that has been through this stays dead for ever; new ones are dead until mend.
     */
    swallow() {
        this.#mode = SWALLOW;
        for (const pair of this.#pairs) pair.die();
    }

    /** Lets new connections pass again. */
    mend() {
        this.#mode = PASS;
    }

    /** The number of connections that pass bytes now. */
    get living() {
        return [...this.#pairs].filter((pair) => !pair.dead).length;
    }

    async stop() {
        const closed = new Promise((resolve) => this.#server.close(resolve));
        for (const pair of this.#pairs) pair.reset();
        await closed;
    }

    #accept(near) {
        if (this.#mode === CUT) {
            near.on('error', () => near.destroy());
            near.resetAndDestroy();
            return;
        }
        const dead = this.#mode === SWALLOW;
        const pair = new Pair(near, dead ? null : net.connect(this.#target, '127.0.0.1'), dead);
        this.#pairs.add(pair);
        pair.whenOver(() => this.#pairs.delete(pair));
    }
}

/* One connection: the browser's end, and the server's unless it was dead from the start. */
class Pair {
    #near;
    #far;
    dead;

    constructor(near, far, dead) {
        this.#near = near;
        this.#far = far;
        this.dead = dead;
        if (far) {
            this.#forward(near, far);
            this.#forward(far, near);
        } else {
            near.resume();
            near.on('error', () => near.destroy());
            near.on('end', () => near.destroy());
        }
    }

    #forward(from, to) {
        from.setNoDelay(true);
        from.on('data', (bytes) => {
            if (this.dead) return;
            if (!to.write(bytes)) from.pause();
        });
        to.on('drain', () => from.resume());
        from.on('end', () => {
            if (!this.dead) to.end();
        });
        // An end that goes away in a dead connection does not take the other along: nobody hears of it.
        from.on('error', () => from.destroy());
        from.on('close', () => {
            if (!this.dead) to.destroy();
        });
    }

    /* From now on whatever either end sends is taken and thrown away. */
    die() {
        this.dead = true;
        this.#near.resume();
        this.#far?.resume();
    }

    reset() {
        for (const socket of [this.#near, this.#far]) if (socket && !socket.destroyed) socket.resetAndDestroy();
    }

    whenOver(done) {
        let open = 0;
        for (const socket of [this.#near, this.#far]) {
            if (!socket) continue;
            open++;
            socket.on('close', () => --open === 0 && done());
        }
    }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
    const port = (address) => Number(address.split(':').at(-1));
    const [target, listen] = process.argv.slice(2);
    if (!target || !listen) {
        console.error('usage: node proxy.mjs 127.0.0.1:SERVER-PORT 127.0.0.1:LISTEN-PORT');
        process.exit(2);
    }
    const proxy = await Proxy.start(port(target), port(listen));
    console.log(`${proxy.base} → port ${port(target)}. Type cut, swallow, mend or quit.`);
    for await (const word of readline.createInterface({ input: process.stdin })) {
        if (word === 'cut' || word === 'swallow' || word === 'mend') proxy[word]();
        else if (word === 'quit') break;
        console.log(`${proxy.living} living connections`);
    }
    await proxy.stop();
}
