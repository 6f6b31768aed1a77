/* The pages are for everybody: what axe finds, and what the keyboard alone can do. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { Agent, PASSWORD } from '../harness/agent.mjs';
import { until } from '../harness/until.mjs';

const axe = readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/* What axe finds that is serious in a page as it is, in light and in dark colours. */
export async function graveIn(page, what) {
    await page.evaluate(await axe);
    const found = [];
    for (const colorScheme of ['light', 'dark']) {
        await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
        const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
        const grave = violations.filter((one) => one.impact === 'serious' || one.impact === 'critical');
        for (const { id, nodes } of grave) {
            const where = nodes.map((node) => `${node.html} ${node.failureSummary}`).join('\n');
            found.push(`${what}, ${colorScheme}, ${id}: ${where}`);
        }
    }
    return found;
}

async function axeFindsNothing(stage) {
    const server = await stage.server();
    const page = await stage.page(await stage.context(), 'anna');
    const found = [];
    const look = async (at, what) => found.push(...(await graveIn(at, what)));
    await page.goto(`${server.base}/desk/`);
    const anna = new Agent(stage, page, 'anna');
    await anna.part('login').waitFor();
    await look(page, 'the sign-in');
    await anna.signIn(server.base);
    await look(page, 'an empty desk');
    await anna.goReady();

    const vera = await stage.newVisitor('Vera');
    await vera.load(`${server.base}/sample/`, { subject: 'A parcel' });
    await look(vera.page, "the sample's form");
    await vera.start();
    await anna.isOffered('Vera');
    await look(page, 'a desk with an offer');
    await anna.accept('Vera');
    await vera.say('Where is it?');
    await anna.sees('Where is it?');
    await anna.say('On its way, see https://example.com/track');
    await vera.sees('On its way, see https://example.com/track');
    await vera.part('composer').pressSequentially('That is');
    await anna.part('typing-preview').waitFor();
    await anna.attach('parcel.txt', 'On its way');
    await anna.part('file').waitFor();
    await look(page, 'a desk with a conversation');
    await look(vera.page, 'a conversation at the sample');
    await anna.part('presence').click();
    await anna.part('status-menu').waitFor();
    await look(page, 'a desk with its status menu open');
    await page.keyboard.press('Escape');
    await anna.end();
    await anna.seesEnd();
    await look(page, 'a desk with a chat that is over');
    await vera.hasStatus('Chat ended');
    await look(vera.page, 'the sample when the chat is over');
    assert.deepEqual(found, []);
}

async function deskByKeyboard(stage) {
    const server = await stage.server();
    const page = await stage.page(await stage.context(), 'anna');
    const anna = new Agent(stage, page, 'anna');
    const keys = page.keyboard;
    await page.goto(`${server.base}/desk/`);
    await hasFocus(anna, 'login');
    await keys.type('anna');
    await keys.press('Tab');
    await keys.type(PASSWORD);
    await keys.press('Enter');
    await anna.isConnected();

    await keys.press('Alt+S');
    await anna.part('status-menu').waitFor();
    await keys.press('Home');
    await keys.press('Enter');
    await anna.hasPresence('Ready');
    const vera = await stage.visitor(server.base, 'Vera');
    await anna.isOffered('Vera');
    await keys.press('Alt+A');
    await hasFocus(anna, 'composer');
    await keys.press('Alt+S');
    await anna.part('status-menu').waitFor();
    await keys.press('Escape');
    await hasFocus(anna, 'composer');
    await keys.type('Hello Vera');
    await keys.press('Shift+Enter');
    await keys.type('How can I help?');
    await keys.press('Enter');
    await vera.sees('Hello Vera\nHow can I help?');
    await vera.say('You did');
    await anna.sees('You did');
    await keys.press('Alt+E');
    await hasFocus(anna, 'end-cancel');
    await keys.press('Escape');
    await hasFocus(anna, 'composer');
    await keys.press('Alt+E');
    await hasFocus(anna, 'end-cancel');
    await keys.press('Tab');
    await hasFocus(anna, 'end-confirm');
    await keys.press('Enter');
    await anna.seesEnd();
    await vera.hasStatus('Chat ended');
    await keys.press('Alt+W');
    await until('the chat is put away', async () => (await anna.part('chat-row').count()) === 0);
}

async function declineByKeyboard(stage) {
    const server = await stage.server();
    const anna = await stage.agent(server.base, 'anna');
    await tabTo(anna, 'ready');
    await anna.page.keyboard.press('Space');
    await anna.hasPresence('Ready');
    await stage.visitor(server.base, 'Vera');
    await anna.isOffered('Vera');
    await anna.page.keyboard.press('Alt+D');
    await until('the offer is gone', async () => (await anna.part('offer').count()) === 0);
    await anna.hasPresence('Ready');
}

async function sampleByKeyboard(stage) {
    const server = await stage.server();
    const vera = await stage.newVisitor('');
    const keys = vera.page.keyboard;
    await vera.page.goto(`${server.base}/sample/?service=echo`);
    await tabTo(vera, 'nickname');
    await keys.type('Vera');
    await keys.press('Enter');
    await vera.isConnected();
    await hasFocus(vera, 'composer');
    await keys.type('by keyboard');
    await keys.press('Enter');
    await vera.sees('echo: by keyboard');
    await tabTo(vera, 'end');
    await keys.press('Enter');
    await hasFocus(vera, 'end-cancel');
    await keys.press('Tab');
    await keys.press('Enter');
    await vera.hasStatus('Chat ended');
    await hasFocus(vera, 'start');
}

const focused = (who) => who.page.evaluate(() => document.activeElement?.dataset.test);

function hasFocus(who, part) {
    return until(`the keyboard is at "${part}"`, async () => (await focused(who)) === part);
}

/* Presses Tab until a part has the focus, and no more often than a page has parts. */
async function tabTo(who, part) {
    for (let i = 0; i < 40; i++) {
        if ((await focused(who)) === part) return;
        await who.page.keyboard.press('Tab');
    }
    throw new Error(`Tab does not lead to "${part}"`);
}

export const access = [
    { name: 'access: axe finds nothing serious', run: axeFindsNothing },
    { name: 'access: a chat at the desk by keyboard alone', run: deskByKeyboard },
    { name: 'access: an offer is declined by keyboard alone', run: declineByKeyboard },
    { name: 'access: a chat at the sample by keyboard alone', run: sampleByKeyboard },
];
