/* The real server: the binary, started on a free port with a data directory of its own. */
import { spawn } from 'node:child_process';
import { createWriteStream, existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { until } from './until.mjs';

const HOME = fileURLToPath(new URL('..', import.meta.url));

/** The binary under test: HALLEY_BIN, or bin/halley of this repository. */
export const binary = resolve(HOME, process.env.HALLEY_BIN || '../../bin/halley');

/** Says what to do if there is no binary to test; empty if there is one. */
export function missingBinary() {
    if (existsSync(binary)) return '';
    return `There is no server to test at ${binary}. Run "make build" first, or set HALLEY_BIN.`;
}

/** The longest that a server may take to exit after SIGTERM. */
const DRAIN = 10_000;

// A run that is broken off leaves no server behind.
const running = new Set();
process.on('exit', () => running.forEach((server) => server.kill('SIGKILL')));

export class Halley {
    #offer;
    #process;
    #exited;
    #folder;
    port;

    /** Starts "halley serve --demo"; offer is how long an agent has for an answer, longer than any needs unless it is named. */
    static async start({ offer = '60s' } = {}) {
        const halley = new Halley();
        halley.#offer = offer;
        halley.#folder = await mkdtemp(join(tmpdir(), 'halley-e2e-'));
        halley.port = await freePort();
        try {
            await halley.run();
        } catch (error) {
            await halley.remove();
            throw error;
        }
        return halley;
    }

    get base() {
        return `http://127.0.0.1:${this.port}`;
    }

    /** Runs the server on its data as it is, and returns when it serves. */
    async run() {
        const log = createWriteStream(this.#log, { flags: 'a' });
        const listen = `127.0.0.1:${this.port}`;
        const data = join(this.#folder, 'data');
        const flags = ['serve', '--demo', '--listen', listen, '--data', data, '--demo-offer', this.#offer];
        const started = spawn(binary, flags, { cwd: this.#folder, stdio: ['ignore', 'pipe', 'pipe'] });
        started.stdout.pipe(log, { end: false });
        started.stderr.pipe(log, { end: false });
        running.add(started);
        started.once('close', () => running.delete(started));
        this.#process = started;
        this.#exited = new Promise((done) => {
            started.once('error', (error) => done({ error }));
            started.once('close', (code, signal) => log.end(() => done({ code, signal })));
        });
        let ended;
        void this.#exited.then((end) => (ended = end));
        await until('the server serves', async () => {
            if (ended) return true;
            const answer = await fetch(`${this.base}/healthz`, { signal: AbortSignal.timeout(5_000) });
            return answer.status === 200;
        });
        if (ended) {
            const why = ended.error?.message ?? `exit code ${ended.code}`;
            throw new Error(`${binary} did not start: ${why}\n${await this.log()}`);
        }
    }

    /** Kills the server as a power cut would. */
    async kill() {
        this.#process.kill('SIGKILL');
        await this.#exited;
    }

    /** Stops the server as an operator does, and returns its exit code; it is 'late' when it takes too long. */
    async stop() {
        this.#process.kill('SIGTERM');
        let timer;
        const late = new Promise((done) => (timer = setTimeout(done, DRAIN, { code: 'late' })));
        const { code } = await Promise.race([this.#exited, late]);
        clearTimeout(timer);
        return code;
    }

    async log() {
        return existsSync(this.#log) ? await readFile(this.#log, 'utf8') : '';
    }

    async remove() {
        await this.kill();
        await rm(this.#folder, { recursive: true, force: true });
    }

    get #log() {
        return join(this.#folder, 'server.log');
    }
}

async function freePort() {
    const server = net.createServer();
    await new Promise((done) => server.listen(0, '127.0.0.1', done));
    const { port } = server.address();
    await new Promise((done) => server.close(done));
    return port;
}
