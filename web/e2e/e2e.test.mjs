/*
 * Every scenario, several at a time, in one browser process. A part of them:
 *
 *     node --test --test-name-pattern=reload e2e.test.mjs
 */
import { existsSync } from 'node:fs';
import { after, describe, it } from 'node:test';
import { chromium } from 'playwright-core';
import { missingBinary } from './harness/halley.mjs';
import { Stage } from './harness/stage.mjs';
import { access } from './scenarios/access.mjs';
import { alerts } from './scenarios/alerts.mjs';
import { aside } from './scenarios/aside.mjs';
import { conversation } from './scenarios/conversation.mjs';
import { ending } from './scenarios/ending.mjs';
import { files } from './scenarios/files.mjs';
import { fromFile } from './scenarios/from-file.mjs';
import { kill } from './scenarios/kill.mjs';
import { leaks } from './scenarios/leaks.mjs';
import { limits } from './scenarios/limits.mjs';
import { offer } from './scenarios/offer.mjs';
import { outage } from './scenarios/outage.mjs';
import { picture } from './scenarios/picture.mjs';
import { reload } from './scenarios/reload.mjs';
import { restore } from './scenarios/restore.mjs';

const CHROMIUM = process.env.E2E_CHROMIUM || '/usr/bin/chromium';
// It only bounds what hangs: on an idle machine the longest takes less than a minute.
const SCENARIO_TIME = 600_000;

// Scenarios that last are idle most of the time, so many run at once beside a few that are busy.
const lasting = [outage, kill].flat();
const busy = [restore, offer, reload, ending, fromFile, conversation, files, access, aside, leaks, limits, alerts].flat();

for (const missing of [missingBinary(), existsSync(CHROMIUM) ? '' : noChromium()]) {
    if (!missing) continue;
    console.error(missing);
    process.exit(1);
}

const browser = await chromium.launch({
    executablePath: CHROMIUM,
    args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
        // Chromium would give every window two pages of its own for the address bar.
        '--disable-features=WebUIOmniboxPopup,WebUIOmniboxAimPopup,OptimizationHints,AimEnabled,PreconnectToSearch',
    ],
});
after(() => browser.close());

function noChromium() {
    return `There is no Chromium at ${CHROMIUM}. Run "apt-get install chromium", or set E2E_CHROMIUM.`;
}

function play({ name, run }) {
    it(name, { timeout: SCENARIO_TIME }, () => Stage.play(browser, name, run));
}

describe('Halley from end to end', { concurrency: 2 }, () => {
    describe('what lasts', { concurrency: lasting.length }, () => lasting.forEach(play));
    describe('what is quick', { concurrency: 2 }, () => busy.forEach(play));
});

if (process.env.E2E_PICTURE === '1') {
    describe('The picture', () => picture.forEach(play));
}
