import net from 'node:net';
import {once} from 'node:events';

/** A TCP proxy in front of a server, whose connections can be cut and kept from coming back. */
export class Breaker {
    /** Starts a breaker for the server at the given http address; its own is in the field url. */
    static async start(url) {
        const target = new URL(url);
        const breaker = new Breaker();
        breaker.sockets = new Set();
        breaker.open = true;
        breaker.server = net.createServer((near) => {
            breaker.keep(near);
            if (!breaker.open) {
                near.destroy();
                return;
            }
            const far = net.connect(Number(target.port || 80), target.hostname);
            breaker.keep(far);
            near.pipe(far).pipe(near);
            near.on('close', () => far.destroy());
            far.on('close', () => near.destroy());
        });
        breaker.server.listen(0, '127.0.0.1');
        await once(breaker.server, 'listening');
        breaker.url = `http://127.0.0.1:${breaker.server.address().port}`;
        return breaker;
    }

    keep(socket) {
        this.sockets.add(socket);
        // A reset is what this proxy is for; the close that follows does the work.
        socket.on('error', () => {});
        socket.on('close', () => this.sockets.delete(socket));
    }

    /** Destroys every connection, and every new one until mend is called. */
    cut() {
        this.open = false;
        this.sockets.forEach((socket) => socket.destroy());
    }

    mend() {
        this.open = true;
    }

    async stop() {
        this.cut();
        this.server.close();
        await once(this.server, 'close');
    }
}
