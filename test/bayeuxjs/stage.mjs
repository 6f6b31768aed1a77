import {after, before} from 'node:test';
import {Proxy} from './proxy.mjs';
import {Server} from './server.mjs';

/** The servers of one test process. */
export class Stage {
    /** make(proxy, options) makes a client; servers holds the flags of each server by its name, which becomes a field. */
    constructor(make, servers) {
        this.make = make;
        before(async () => {
            for (const [name, flags] of Object.entries(servers)) {
                this[name] = await Server.start(...flags);
            }
        });
        after(async () => {
            // A client that a failed test left behind would try for ever.
            setTimeout(() => process.exit(), 30000).unref();
            await Promise.all(Object.keys(servers).map((name) => this[name]?.stop()));
        });
    }

    /**
     * Plays a scenario and takes down what it put up. It is given a scene:
     * scene.proxy(server) starts a proxy, which is a browser; scene.client(proxy, options) makes a
     * client; scene.server(...flags) starts a server that no other scenario speaks to; scene.end(f) has f
     * called at the end.
     */
    async play(scenario) {
        const ends = [];
        const scene = {
            stage: this,
            end: (f) => ends.unshift(f),
            server: async (...flags) => {
                const server = await Server.start(...flags);
                ends.push(() => server.stop());
                return server;
            },
            proxy: async (server) => {
                const proxy = await Proxy.start(server.url);
                ends.push(() => proxy.stop());
                return proxy;
            },
            client: (proxy, options) => {
                const client = this.make(proxy, options);
                ends.unshift(() => client.close());
                return client;
            },
        };
        let failure;
        try {
            await scenario(scene);
        } catch (error) {
            failure = error;
        }
        for (const end of ends) {
            try {
                await end();
            } catch (error) {
                failure ??= error;
            }
        }
        if (failure) {
            throw failure;
        }
    }
}
