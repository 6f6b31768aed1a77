import net from 'node:net';
import {once} from 'node:events';
import {Journal} from './journal.mjs';

/**
 * A TCP proxy in front of a server that can do what networks do. Every proxy has a port of its own,
 * and cookies are kept by port: clients behind the same proxy are one browser's.
 */
export class Proxy {
    /** Starts a proxy for the server at the given http address; its own is in the field url. */
    static async start(url) {
        const proxy = new Proxy();
        proxy.aim(url);
        proxy.links = new Set();
        proxy.journal = new Journal('proxy');
        proxy.polls = 0; // connects that have passed over HTTP; the frames of WebSockets are masked
        proxy.refusing = false;
        proxy.withoutWebSocket = false;
        proxy.lag = 0;
        proxy.scissors = null;
        proxy.server = net.createServer((near) => proxy.accept(near));
        proxy.server.listen(0, '127.0.0.1');
        await once(proxy.server, 'listening');
        proxy.url = `http://127.0.0.1:${proxy.server.address().port}${new URL(url).pathname}`;
        return proxy;
    }

    /** Chooses the server that new connections go to. */
    aim(url) {
        this.target = new URL(url);
    }

    accept(near) {
        // A reset is what this proxy is for; the close that follows does the work.
        near.on('error', () => {});
        if (this.refusing) {
            near.destroy();
            return;
        }
        const link = {near, far: net.connect(Number(this.target.port), this.target.hostname), dead: false};
        this.links.add(link);
        link.far.on('error', () => {});
        this.forward(link, near, link.far, (chunk) => this.judgeRequest(link, chunk));
        this.forward(link, link.far, near, (chunk) => this.judgeResponse(link, chunk));
        near.on('close', () => this.closed(link, 'near'));
        link.far.on('close', () => this.closed(link, 'far'));
    }

    forward(link, from, to, judge) {
        let tail = Promise.resolve();
        from.on('data', (chunk) => {
            if (link.dead || !judge(chunk)) {
                return;
            }
            if (this.lag === 0) {
                tail = tail.then(() => link.dead || to.write(chunk));
                return;
            }
            const due = new Promise((resolve) => setTimeout(resolve, this.lag));
            tail = tail.then(() => due).then(() => link.dead || to.write(chunk));
        });
        from.on('end', () => {
            tail = tail.then(() => link.dead || to.end());
        });
    }

    judgeRequest(link, chunk) {
        link.closing ??= closes(link, chunk) && 'client';
        const text = chunk.toString('latin1');
        if (/\/meta\/connect|%2Fmeta%2Fconnect/.test(text)) {
            this.polls++;
        }
        if (this.withoutWebSocket && /^GET [^]*\r\nupgrade: websocket/i.test(text)) {
            link.near.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
            link.far.destroy();
            return false;
        }
        return true;
    }

    judgeResponse(link, chunk) {
        link.closing ??= closes(link, chunk) && 'server';
        link.upgrade ??= /^HTTP\/1.1 101 [^]*\r\n\r\n/.exec(chunk.toString('latin1'))?.[0];
        if (this.scissors === null || !this.scissors(chunk.toString('latin1'))) {
            return true;
        }
        this.scissors = null;
        link.dead = true;
        link.far.destroy();
        link.near.end(chunk.subarray(0, this.kept(chunk.length)));
        this.journal.add({truncated: chunk.length});
        return false;
    }

    closed(link, side) {
        if (link.dead === 'silent') {
            return;
        }
        if (this.links.delete(link)) {
            this.journal.add({closed: side, closing: link.closing});
        }
        if (!link.dead) {
            link.near.destroy();
            link.far.destroy();
        }
    }

    /** Cuts every connection; new ones are taken. */
    drop() {
        for (const link of this.links) {
            link.near.destroy();
            link.far.destroy();
        }
    }

    /** Cuts every connection, and every new one until mend is called. */
    cut() {
        this.refusing = true;
        this.drop();
    }

    mend() {
        this.refusing = false;
    }

    /** From now on the connections there are carry nothing, and neither side learns of it. New ones work. */
    swallow() {
        for (const link of this.links) {
            link.dead = 'silent';
        }
    }

    /** Lets only the beginning of the next piece that the server sends and that matches through, and then closes. */
    truncate(matches, kept = (length) => length / 2) {
        this.scissors = matches;
        this.kept = kept;
        const from = this.journal.entries.length;
        return this.journal.until('piece to truncate', () => this.journal.entries.slice(from).some((entry) => entry.truncated));
    }

    /** Who closed the last WebSocket that is gone: "client" or "server". */
    get closing() {
        return this.journal.entries.findLast((entry) => entry.closing)?.closing;
    }

    /** What the server said when it took the WebSockets that are open. */
    get upgrades() {
        return [...this.links].map((link) => link.upgrade).filter(Boolean);
    }

    async stop() {
        this.server.close();
        this.refusing = true;
        for (const link of this.links) {
            link.near.destroy();
            link.far.destroy();
        }
    }
}

/** Says whether a piece of what goes over a WebSocket begins with a closing frame; undefined if it does not. */
const closes = (link, chunk) => link.upgrade && chunk[0] === 0x88 || undefined;
