import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import {once} from 'node:events';
import {createInterface} from 'node:readline';

/** A process of the server under test, on a port of its own. */
export class Server {
    /** Starts one with the given flags and waits until it listens; its address is in the field url. */
    static async start(...flags) {
        const server = new Server();
        assert.ok(process.env.BAYEUX_BIN, 'BAYEUX_BIN names no server; npm test builds one');
        server.process = spawn(process.env.BAYEUX_BIN, ['-listen', '127.0.0.1:0', '-callback-polling', ...flags], {
            stdio: ['ignore', 'pipe', 'inherit'],
        });
        server.exit = once(server.process, 'exit');
        const [line] = await Promise.race([
            once(createInterface({input: server.process.stdout}), 'line'),
            server.exit.then(([code]) => assert.fail(`the server ended with ${code} before it listened`)),
        ]);
        server.url = line.match(/http:\S+/)[0];
        return server;
    }

    /** Asks it to stop and waits until it has. */
    async stop() {
        this.process.kill('SIGTERM');
        const [code] = await this.exit;
        assert.equal(code, 0, 'the server stops in order');
    }
}
