// Builds the server once, unless BAYEUX_BIN names one, and runs every client against it: each version
// in a process of its own, two at a time. Arguments are the test files to run; all of them if there are none.
import {execFileSync, spawn} from 'node:child_process';
import {mkdtempSync, readdirSync, rmSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const env = {...process.env};
let built;
if (!env.BAYEUX_BIN) {
    built = mkdtempSync(join(tmpdir(), 'bayeuxjs-'));
    env.BAYEUX_BIN = join(built, 'echo');
    execFileSync('go', ['build', '-o', env.BAYEUX_BIN, './bayeux/examples/echo'], {cwd: join(here, '../..'), stdio: 'inherit'});
}

const named = process.argv.slice(2);
const files = named.length > 0 ? named : readdirSync(here).filter((name) => name.endsWith('.test.mjs'));
const tests = spawn(process.execPath, ['--test', '--test-concurrency=2', '--test-reporter=spec', ...files], {cwd: here, env, stdio: 'inherit'});
for (const signal of ['SIGINT', 'SIGTERM']) {
    process.on(signal, () => tests.kill(signal));
}
tests.on('exit', (code) => {
    if (built) {
        rmSync(built, {recursive: true, force: true});
    }
    process.exitCode = code ?? 1;
});
