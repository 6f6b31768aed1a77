import {describe, test} from 'node:test';
import {open} from './page.mjs';
import {Client} from './client.mjs';
import {Stage} from './stage.mjs';
import * as basics from './scenarios/basics.mjs';
import * as endings from './scenarios/endings.mjs';
import * as extensions from './scenarios/extensions.mjs';
import * as faults from './scenarios/faults.mjs';
import * as transports from './scenarios/transports.mjs';

/** Milliseconds after which a test hangs. Conditions are given up before. */
const TIMEOUT = 180000;

/** Declares the tests of one version of the library; kit holds its classes, adapt prepares the globals. */
export function declare(version, adapt, kit) {
    open(adapt);
    const stage = new Stage((proxy, options) => new Client(kit, proxy, options), {
        // Holds connects for longer than any test takes.
        patient: ['-timeout', '3m', '-max-interval', '3m', '-multi-session-interval', '200ms'],
        // Answers connects often, and keeps sessions for longer than any test takes.
        quick: ['-timeout', '700ms', '-max-interval', '3m'],
        // Forgets sessions soon, and not those of clients that are slow.
        forgetful: ['-timeout', '400ms', '-max-interval', '2s'],
        strict: ['-max-message-size', '3000', '-deflate'],
    });
    describe(`cometd ${version}`, {concurrency: 8}, () => {
        for (const scenarios of [basics, endings, extensions, faults]) {
            for (const scenario of Object.values(scenarios)) {
                for (const transport of ['websocket', 'long-polling', 'callback-polling']) {
                    const say = `${transport}: ${name(scenario)}`;
                    test(say, {timeout: TIMEOUT}, () => stage.play((scene) => scenario({...scene, kit}, transport)));
                }
            }
        }
        for (const scenario of Object.values(transports)) {
            test(name(scenario), {timeout: TIMEOUT}, () => stage.play(scenario));
        }
    });
}

/** A scenario's function name as words. */
const name = (scenario) => scenario.name.replace(/[A-Z]/g, (letter) => ' ' + letter.toLowerCase());
